// Signing in and registering: both end where the client began, with the person known to the issuer.
import { randomUUID } from 'node:crypto'
import { field } from '@headwater/deciders/fields'
import { registerUserInput } from '@headwater/deciders/identity/user'
import { publicRoute } from '@headwater/http-kit/access/access'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Metrics } from '@headwater/http-kit/telemetry/metrics'
import { traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { atIssuer } from '../mount.ts'
import { registerPage } from '../pages/register.ts'
import { signInPage } from '../pages/sign-in.ts'
import type { Ready } from '../ready.ts'
import type { ActiveUser } from '../users/users.ts'
import { answersOf, codeOf, sendPage, wrongAnswers } from './forms.ts'
import type { SignInAudit } from './sign-in-audit.ts'

const minuteSeconds = 60
const params = z.object({ uid: field('sign-in', z.string().regex(/^[\w-]{1,64}$/)) })
const hidden = { schema: { hide: true, params }, config: publicRoute } as const
const key = z.uuid()
/** The same for a wrong name and a wrong password. */
const notRight = 'The user name or the password is not right.'
const taken = 'The user name or the e-mail address is taken. Choose another, or sign in.'

export type SignInRoutes = {
  /** @throws Problem 503 until the issuer is ready */
  readonly ready: () => Ready
  readonly issuer: string
  readonly showsDemo: boolean
  readonly metrics: Metrics
  readonly audit: SignInAudit
}

/** Says how long to wait where there were too many tries; what else went wrong goes on being thrown. */
export const tooManyTries = (error: unknown, reply: FastifyReply): string => {
  if (!(error instanceof Problem) || error.status !== 429) throw error
  const seconds = Number(error.extras.retryAfterSeconds)
  reply.header('retry-after', seconds)
  const minutes = Math.ceil(seconds / minuteSeconds)
  return `There were too many tries. Please try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`
}

export const registerSignIn = (
  server: HttpServer,
  { ready, issuer, showsDemo, metrics, audit }: SignInRoutes,
): void => {
  const countSignIn = metrics.counter('sign_ins_total', 'Tries to sign in, by outcome.')
  const countRegistration = metrics.counter('registrations_total', 'Tries to register, by outcome.')

  /** The sign-in that this browser began. @throws SessionNotFound when it began none of this name, or long ago */
  const begun = async (request: FastifyRequest, reply: FastifyReply) => {
    const { uid } = request.params as z.infer<typeof params>
    const details = await ready().provider.interactionDetails(atIssuer(request.raw, issuer), reply.raw)
    if (details.uid !== uid) throw new Problem(400, 'sign_in_not_found', 'This sign-in belongs to another page.')
    return uid
  }

  const finish = async (request: FastifyRequest, reply: FastifyReply, user: ActiveUser) => {
    const login = { accountId: user.userId, amr: ['pwd'], remember: false }
    const raw = atIssuer(request.raw, issuer)
    const returnTo = await ready().provider.interactionResult(raw, reply.raw, { login })
    audit.signedIn(user, request.id)
    return reply.redirect(returnTo, 303)
  }

  server.get('/sign-in/:uid', hidden, async (request, reply) => {
    const uid = await begun(request, reply)
    return sendPage(reply, signInPage({ uid, showsDemo }))
  })

  server.post('/sign-in/:uid', hidden, async (request, reply) => {
    const uid = await begun(request, reply)
    const { users, throttle } = ready()
    const { userName: typed = '', password = '' } = answersOf(request.body)
    const userName = typed.trim().toLowerCase()
    const again = (error: string, status: number) =>
      sendPage(reply, signInPage({ uid, userName: typed, error, showsDemo }), status)
    try {
      await throttle.beforeSignIn(userName, request.ip)
    } catch (error) {
      countSignIn({ outcome: 'throttled' })
      return again(tooManyTries(error, reply), 429)
    }
    const user = await users.authenticate(userName, password, (found) => audit.failed(found, request.id))
    countSignIn({ outcome: user ? 'signed in' : 'refused' })
    if (!user) return again(notRight, 422)
    await throttle.afterSignIn(userName, request.ip)
    return finish(request, reply, user)
  })

  server.get('/sign-in/:uid/register', hidden, async (request, reply) => {
    const uid = await begun(request, reply)
    return sendPage(reply, registerPage({ uid, key: randomUUID(), answers: {}, errors: {} }))
  })

  server.post('/sign-in/:uid/register', hidden, async (request, reply) => {
    const uid = await begun(request, reply)
    const { users, throttle } = ready()
    const { key: typedKey, ...answers } = answersOf(request.body)
    const sentKey = key.safeParse(typedKey).data
    const again = (wrong: { error?: string; errors?: Readonly<Record<string, string>> }, status: number) =>
      sendPage(
        reply,
        // Under a new name: the answers will be others.
        registerPage({ uid, key: randomUUID(), answers, errors: wrong.errors ?? {}, error: wrong.error }),
        status,
      )
    const input = registerUserInput.safeParse(answers)
    if (!input.success || sentKey === undefined)
      return again(
        input.success ? { error: 'Please send this once more.' } : { errors: wrongAnswers(input.error) },
        422,
      )
    try {
      await throttle.beforeRegistration(request.ip)
    } catch (error) {
      countRegistration({ outcome: 'throttled' })
      return again({ error: tooManyTries(error, reply) }, 429)
    }
    const { userName, password } = input.data
    try {
      const traceparent = request.id
      const correlationId = traceIdOf(traceparent)
      await users.register({ ...input.data, roles: [] }, sentKey, { traceparent, correlationId })
    } catch (error) {
      if (codeOf(error) === 'event_store_unavailable' || codeOf(error) === undefined) throw error
      countRegistration({ outcome: 'refused' })
      return again({ error: codeOf(error) === 'identifier_taken' ? taken : 'Please send this once more.' }, 409)
    }
    countRegistration({ outcome: 'registered' })
    // Knowing a registration's key is not enough: it is the password that signs in.
    const user = await users.authenticate(userName, password)
    return user ? finish(request, reply, user) : reply.redirect(`/sign-in/${uid}`, 303)
  })
}
