// What every page of a form needs: bodies of forms, protection against other sites, headers, and errors as pages.
import { Rejection } from '@headwater/deciders/decider'
import { isUnsafe, refuseForeignOrigin } from '@headwater/http-kit/access/own-origin'
import { Problem, problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { formFields } from '@headwater/http-kit/server/utf8'
import { fieldErrors } from '@headwater/http-kit/server/validation'
import type { FastifyReply } from 'fastify'
import { errors } from 'oidc-provider'
import type { z } from 'zod'
import { type Failure, failedPage } from '../pages/failed.ts'

const failures: Readonly<Record<number, Omit<Failure, 'detail'>>> = {
  400: {
    title: 'This page is too old',
    text: 'Signing in was begun too long ago, or in another browser. Go back to where you came from and try again.',
  },
  403: { title: 'This came from elsewhere', text: 'For your safety we take forms from our own pages only.' },
  404: { title: 'There is nothing at this address', text: 'The link may be incomplete, or what it led to is gone.' },
  413: { title: 'This is too long', text: 'No answer here needs so much text.' },
  503: { title: 'Back in a moment', text: 'A part of this service does not answer just now. Please try again.' },
}
const unreadable: Omit<Failure, 'detail'> = {
  title: 'This could not be read',
  text: 'What was sent is not UTF-8 text. Please send the form from this page.',
}
const failed: Omit<Failure, 'detail'> = {
  title: 'Something went wrong here',
  text: 'This is our mistake, not yours. Please try again.',
}

export const sendPage = (reply: FastifyReply, page: string, status = 200): FastifyReply =>
  reply.status(status).type('text/html; charset=utf-8').send(page)

/** What a form sent: the last of each field that is text. */
export const answersOf = (body: unknown): Readonly<Record<string, string>> =>
  body instanceof URLSearchParams ? Object.fromEntries(body) : {}

/** By field, what is wrong. */
export const wrongAnswers = (error: z.ZodError): Readonly<Record<string, string>> =>
  Object.fromEntries(fieldErrors(error).map(({ field, message }) => [field, message]))

/** The code with which a command or a request was refused. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Rejection || error instanceof Problem ? error.code : undefined

/** Registers pages; `origin` is where they are found. */
export const registerForms = async (
  server: HttpServer,
  origin: string,
  pages: (scope: HttpServer) => void,
): Promise<void> =>
  server.register(async (scope: HttpServer) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'buffer' },
      async (_request: unknown, body: Buffer) => formFields(body),
    )
    scope.addHook('onRequest', async (request) => {
      if (isUnsafe(request)) refuseForeignOrigin(request, ({ headers }) => headers.origin === origin)
    })
    scope.addHook('onRequest', async (_request, reply) => {
      reply.headers({
        'cache-control': 'no-store',
        // With `no-referrer` browsers hide where a form comes from, and forms from elsewhere are refused.
        'referrer-policy': 'same-origin',
      })
    })
    scope.setErrorHandler((error, request, reply) => {
      const isTooOld = error instanceof errors.SessionNotFound
      const { status, code } = isTooOld ? { status: 400, code: 'sign_in_not_found' } : problem(error, {})
      if (status >= 500) request.log.error({ err: error, code }, 'a page failed')
      if (status === 503) reply.header('retry-after', 1)
      return sendPage(
        reply,
        failedPage({ ...(code === 'bad_request' ? unreadable : (failures[status] ?? failed)), detail: code }),
        status,
      )
    })
    pages(scope)
  })
