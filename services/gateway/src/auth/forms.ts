// Addresses that people's forms are sent to: they hold no fields, and trouble is told in words.
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Notice, sendNotice } from './sign-in/notice.ts'

const retryAfterSeconds = 2

/** Calls `register` with a server that takes forms, and does not read them. */
export const withForms = async (
  server: HttpServer,
  register: (scope: Pick<FastifyInstance, 'post'>) => void,
): Promise<void> => {
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, payload, done) => {
      payload.resume()
      done(null)
    })
    register(scope)
  })
}

/** Shows people `unavailable` where an API would say 503. */
export const orUnavailable = async (
  reply: FastifyReply,
  unavailable: Notice,
  work: () => Promise<FastifyReply>,
): Promise<FastifyReply> => {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Problem && error.status === 503)) throw error
    reply.header('retry-after', retryAfterSeconds)
    return sendNotice(reply, 503, unavailable)
  }
}
