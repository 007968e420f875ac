// Signing in and out: to the issuer and back to where one was, without a script, and a session for it in between.
import { type Actor, anyone } from '@headwater/deciders/policy'
import { publicRoute } from '@headwater/http-kit/access/access'
import { type Authenticator, bearerToken, type Credential, KeyNotKnownYet } from '@headwater/http-kit/access/auth'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { People } from '../../people.ts'
import { type Capabilities, loansHeld } from '../capabilities.ts'
import type { Cookies } from '../cookies.ts'
import { orUnavailable, withForms } from '../forms.ts'
import { localPath } from '../local-path.ts'
import { sealingOfSessions } from '../secrets.ts'
import type { SignInIssuer } from './issuer.ts'
import { sendNotice } from './notice.ts'
import { type Session, type Sessions, sessionHoursMax } from './sessions.ts'

const sessionCookie = 'headwater_session'
const signInCookie = 'headwater_sign_in'
/** For typing a password, or finding it first. */
const signInMinutesMax = 15

const begunText = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  until: z.number(),
})

/** A session with the actor that its token names. */
type SignedIn = { readonly session: Session; readonly credential: Credential }

export type SignedInOf = (request: FastifyRequest) => Promise<SignedIn | undefined>

export const hasSessionCookie = (cookies: Cookies, request: FastifyRequest): boolean =>
  cookies.read(request, sessionCookie) !== undefined

/**
 * Of a token that the issuer itself gave us.
 * @throws Problem 401 when it is not believed all the same, 503 while that cannot be known
 */
const actorOfIssued =
  ({ actorOf }: Pick<Authenticator, 'actorOf'>) =>
  async (accessToken: string): Promise<Actor> => {
    try {
      return await actorOf(accessToken)
    } catch (error) {
      if (!(error instanceof KeyNotKnownYet)) throw error
      throw new Problem(503, 'issuer_unavailable', 'Who you are cannot be checked at the moment.')
    }
  }

/** Who the session's cookie says is there, if anybody. @throws Problem 503 while that cannot be known */
export const findSignedIn = (options: {
  readonly cookies: Cookies
  readonly sessions: Sessions
  readonly authenticator: Pick<Authenticator, 'actorOf'>
}): SignedInOf => {
  const { cookies, sessions, authenticator } = options
  const actorOf = actorOfIssued(authenticator)
  const find: SignedInOf = async (request) => {
    const secret = cookies.read(request, sessionCookie)
    const session = secret === undefined ? undefined : await sessions.find(secret)
    if (!session) return undefined
    try {
      const actor = await actorOf(session.accessToken)
      return { session, credential: { actor, token: session.accessToken } }
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) throw error
      // The issuer's keys or our audience changed: nobody is helped by a session that opens nothing.
      await sessions.end(session.key)
      return undefined
    }
  }
  // Several parts of one request ask.
  const found = new WeakMap<FastifyRequest, Promise<SignedIn | undefined>>()
  return (request) => {
    const asked = found.get(request) ?? find(request)
    found.set(request, asked)
    return asked
  }
}

const failed = (returnTo: string) => ({
  title: 'Signing in did not work',
  text: 'It took too long, was broken off, or was begun in another window. Nothing is lost.',
  next: { label: 'Sign in again', href: `/auth/sign-in?${new URLSearchParams({ returnTo })}` },
})
const unavailable = (returnTo: string) => ({
  ...failed(returnTo),
  title: 'You cannot be signed in just now',
  text: 'A part that signing in needs does not answer. Please try again in a moment.',
})
const misconfigured = {
  title: 'Signing in is not set up right',
  text: 'Your password was accepted, but not what came with it. Whoever runs this site finds the reason in its log.',
  next: { label: 'To the start', href: '/' },
} as const

export const registerSignIn = async (
  server: HttpServer,
  options: {
    readonly issuer: SignInIssuer
    readonly authenticator: Pick<Authenticator, 'actorOf'>
    readonly sessions: Sessions
    readonly people: Pick<People, 'keep'>
    readonly capabilities: Capabilities
    readonly cookies: Cookies
    readonly signedInOf: SignedInOf
    readonly secret: string
    readonly publicUrl: URL
    /** Is told the verified address of whoever signs in; must not fail. */
    readonly knowsEmail: (email: string, accessToken: string) => Promise<void>
  },
): Promise<void> => {
  const { issuer, authenticator, sessions, people, capabilities, cookies, signedInOf, publicUrl, knowsEmail } = options
  const sealing = sealingOfSessions(options.secret)
  const open = { config: publicRoute, schema: { hide: true } }

  server.get('/auth/sign-in', open, (request, reply) => {
    const query = request.query as { readonly returnTo?: unknown; readonly moved?: unknown }
    const returnTo = localPath(query.returnTo)
    reply.header('cache-control', 'no-store')
    // The cookies of another of our names would not come back from the issuer. Once: a proxy may hide the name.
    if (request.host !== publicUrl.host && query.moved === undefined) {
      const there = new URL('/auth/sign-in', publicUrl)
      there.search = String(new URLSearchParams({ returnTo, moved: '' }))
      return reply.redirect(there.href, 303)
    }
    return orUnavailable(reply, unavailable(returnTo), async () => {
      const { url, begun } = await issuer.begin()
      const until = Date.now() + signInMinutesMax * 60_000
      const sealed = sealing.seal(JSON.stringify({ ...begun, returnTo, until }), signInCookie).toString('base64url')
      cookies.set(reply, signInCookie, sealed, signInMinutesMax * 60)
      return reply.redirect(url.href, 303)
    })
  })

  const begunBy = (request: FastifyRequest) => {
    const sealed = cookies.read(request, signInCookie)
    const text = sealed === undefined ? undefined : sealing.open(Buffer.from(sealed, 'base64url'), signInCookie)
    const begun = text === undefined ? undefined : begunText.parse(JSON.parse(text))
    return begun && begun.until > Date.now() ? begun : undefined
  }

  const actorOfNew = async (accessToken: string, sub: string, request: FastifyRequest): Promise<Actor | undefined> => {
    try {
      const actor = await actorOfIssued(authenticator)(accessToken)
      if (actor.kind === 'person' && actor.sub === sub) return actor
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) throw error
    }
    request.log.error(
      'The issuer gives access tokens that Headwater cannot check: they have to be signed JWTs (RFC 9068, typ at+jwt) ' +
        'of OIDC_ISSUER for OIDC_AUDIENCE, with the person as sub and a client_id.',
    )
    return undefined
  }

  server.get('/auth/callback', open, (request, reply) => {
    const begun = begunBy(request)
    reply.header('cache-control', 'no-store')
    cookies.forget(reply, signInCookie)
    if (!begun) return sendNotice(reply, 400, failed('/'))
    const { returnTo } = begun
    return orUnavailable(reply, unavailable(returnTo), async () => {
      const signedIn = await issuer.finish(new URL(request.url, publicUrl), begun).catch((error: unknown) => {
        if (error instanceof Problem && error.status === 400) return undefined
        throw error
      })
      if (!signedIn) return sendNotice(reply, 400, failed(returnTo))
      const { person, tokens, email } = signedIn
      const actor = await actorOfNew(tokens.accessToken, person.sub, request)
      if (!actor) return sendNotice(reply, 502, misconfigured)
      const before = cookies.read(request, sessionCookie)
      await people.keep({ ...person, roles: actor.roles })
      const secret = await sessions.create(person, tokens)
      if (before !== undefined) await sessions.endOf(before)
      cookies.set(reply, sessionCookie, secret, sessionHoursMax * 3_600)
      if (email !== undefined) await knowsEmail(email, tokens.accessToken)
      return reply.redirect(returnTo, 303)
    })
  })

  await withForms(server, (scope) => {
    scope.post('/auth/sign-out', open, (request, reply) =>
      orUnavailable(reply, unavailable('/'), async () => {
        const secret = cookies.read(request, sessionCookie)
        if (secret !== undefined) await sessions.endOf(secret)
        cookies.forget(reply, sessionCookie)
        reply.header('cache-control', 'no-store')
        const url = await issuer.signOutUrl().catch(() => undefined)
        if (!url) return reply.redirect('/', 303)
        // Not by a redirect: browsers count that as the form's own, which may be sent to nobody else.
        return sendNotice(reply, 200, {
          title: 'You are signed out',
          text: 'Where you typed your password you may still be signed in. You are taken there to sign out as well.',
          next: { label: 'Sign out there', href: url.href },
          atOnce: true,
        })
      }),
    )
  })

  server.get(
    '/auth/me',
    {
      config: { rules: [anyone] },
      schema: {
        hide: true,
        response: {
          200: z.object({
            signedIn: z.boolean(),
            name: z.string().optional(),
            roles: z.array(z.string()).readonly(),
            loans: z.array(z.uuid()).readonly(),
          }),
        },
      },
    },
    async (request, reply) => {
      const token = bearerToken(request)
      // As everywhere: whoever sends a token means it, and its cookies are not looked at.
      const signedIn = token === undefined ? await signedInOf(request) : undefined
      const actor = token === undefined ? signedIn?.credential.actor : await authenticator.actorOf(token)
      const person = actor?.kind === 'person' ? actor : undefined
      reply.header('cache-control', 'no-store')
      return {
        signedIn: person !== undefined,
        name: signedIn?.session.name ?? person?.sub,
        roles: person?.roles ?? [],
        loans: token === undefined ? loansHeld(await capabilities.credentials(request)) : [],
      }
    },
  )
}
