// The account page: what a person may see and change about themselves, with their password once more.
import { changeEmailInput, changePasswordInput } from '@headwater/deciders/identity/user'
import { publicRoute } from '@headwater/http-kit/access/access'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { accountClientId } from '../issuer/clients.ts'
import { atIssuer } from '../mount.ts'
import { type AccountPage, accountPage } from '../pages/account.ts'
import type { Ready } from '../ready.ts'
import type { ActiveUser } from '../users/users.ts'
import { answersOf, codeOf, sendPage, wrongAnswers } from './forms.ts'
import { tooManyTries } from './sign-in.ts'
import type { SignInAudit } from './sign-in-audit.ts'

const passwordNotRight = 'This is not your password'
const done = {
  email: 'Your e-mail address is changed.',
  password: 'Your password is changed. Wherever else you were signed in, you are signed out.',
}
const doneQuery = z.object({ done: z.enum(['email', 'password']).optional().catch(undefined) })
const hidden = { schema: { hide: true }, config: publicRoute } as const

export type AccountRoutes = {
  /** @throws Problem 503 until the issuer is ready */
  readonly ready: () => Ready
  readonly issuer: string
  readonly audit: SignInAudit
}

type Shown = Partial<Pick<AccountPage, 'done' | 'errors' | 'error' | 'email'>>

export const registerAccount = (server: HttpServer, { ready, issuer, audit }: AccountRoutes): void => {
  const signInUrl = new URL('/oidc/authorize', issuer)
  signInUrl.search = new URLSearchParams({
    client_id: accountClientId,
    response_type: 'none',
    scope: 'openid',
    redirect_uri: new URL('/account', issuer).href,
  }).toString()
  const signOutUrl = `/oidc/sign-out?client_id=${accountClientId}`

  const sessionOf = async (request: FastifyRequest, reply: FastifyReply) => {
    const { provider, users } = ready()
    const session = await provider.Session.get(provider.createContext(atIssuer(request.raw, issuer), reply.raw))
    const user = session.accountId === undefined ? undefined : await users.find(session.accountId)
    return user && { user, session }
  }
  const show = (reply: FastifyReply, user: ActiveUser, { errors = {}, ...shown }: Shown, status = 200) =>
    sendPage(reply, accountPage({ user, signOutUrl, errors, ...shown }), status)
  const originOf = (user: ActiveUser, traceparent: string) => ({
    actor: user.userId,
    traceparent,
    correlationId: traceIdOf(traceparent),
  })

  /** Whether the password is theirs; counted like signing in. @throws Problem 429 */
  const isTheirs = async ({ userName }: ActiveUser, password: string, { ip: address, id }: FastifyRequest) => {
    const { throttle, users } = ready()
    await throttle.beforeSignIn(userName, address)
    const isRight = (await users.authenticate(userName, password, (found) => audit.failed(found, id))) !== undefined
    if (isRight) await throttle.afterSignIn(userName, address)
    return isRight
  }

  /** What is the same for both forms: who is there, whether it is they, and what came of the change. */
  const change = async (
    request: FastifyRequest,
    reply: FastifyReply,
    passwordField: string,
    attempt: (
      answers: Readonly<Record<string, string>>,
      who: { readonly user: ActiveUser; readonly sessionUid: string },
    ) => Promise<Shown | 'email' | 'password'>,
  ) => {
    const found = await sessionOf(request, reply)
    if (!found) return reply.redirect(signInUrl.href, 303)
    const { user, session } = found
    const answers = answersOf(request.body)
    try {
      if (!(await isTheirs(user, answers[passwordField] ?? '', request)))
        return show(reply, user, { errors: { [passwordField]: passwordNotRight }, ...emailTyped(answers) }, 422)
      const outcome = await attempt(answers, { user, sessionUid: session.uid })
      if (typeof outcome === 'string') return reply.redirect(`/account?done=${outcome}`, 303)
      return show(reply, user, outcome, 422)
    } catch (error) {
      return show(reply, user, { error: tooManyTries(error, reply), ...emailTyped(answers) }, 429)
    }
  }
  const emailTyped = ({ email }: Readonly<Record<string, string>>): Shown => (email === undefined ? {} : { email })

  server.get(
    '/account',
    { schema: { hide: true, querystring: doneQuery }, config: publicRoute },
    async (request, reply) => {
      const found = await sessionOf(request, reply)
      if (!found) return reply.redirect(signInUrl.href, 303)
      return show(reply, found.user, request.query.done ? { done: done[request.query.done] } : {})
    },
  )

  server.post('/account/email', hidden, (request, reply) =>
    change(request, reply, 'emailPassword', async (answers, { user }) => {
      const input = changeEmailInput.safeParse({ email: answers.email })
      if (!input.success) return { errors: wrongAnswers(input.error), ...emailTyped(answers) }
      try {
        await ready().throttle.beforeEmailChange(user.userId)
        await ready().users.changeEmail(user.userId, input.data.email, originOf(user, request.id))
        return 'email'
      } catch (error) {
        if (codeOf(error) === 'identifier_taken')
          return { errors: { email: 'This address cannot be used' }, ...emailTyped(answers) }
        if (codeOf(error) === 'revision_mismatch')
          return { error: 'Please send this once more.', ...emailTyped(answers) }
        throw error
      }
    }),
  )

  server.post('/account/password', hidden, (request, reply) =>
    change(request, reply, 'currentPassword', async (answers, { user, sessionUid }) => {
      const input = changePasswordInput(user.userName).safeParse({ password: answers.password })
      if (!input.success) return { errors: wrongAnswers(input.error) }
      const { users, records } = ready()
      // First: whoever else is signed in must not stay so when the rest is interrupted and cannot be repeated.
      await records.endSessionsOf(user.userId, sessionUid)
      await users.changePassword(user.userId, input.data.password, originOf(user, request.id))
      return 'password'
    }),
  )
}
