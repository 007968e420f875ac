// Everything about who is there, put together: sessions, capabilities, their cookies, and what guards them.
import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { Authenticator } from '@headwater/http-kit/access/auth'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type Applying, createApplying } from '../loan/applying.ts'
import { createPeople, type People } from '../people.ts'
import { createCapabilities } from './capabilities.ts'
import { createCookies } from './cookies.ts'
import type { CredentialSource } from './credentials.ts'
import { isOwnOrigin, registerCsrfProtection } from './csrf.ts'
import { createApplyLimit } from './limits.ts'
import { connectSignInIssuer } from './sign-in/issuer.ts'
import { registerLinks } from './sign-in/link.ts'
import { type SessionEnds, watchSessionEnds } from './sign-in/session-ends.ts'
import { createSessions, openSessionDatabase, type SessionDatabase } from './sign-in/sessions.ts'
import { findSignedIn, hasSessionCookie, registerSignIn } from './sign-in/sign-in.ts'

const secretLengthMin = 32

const privateKey = z.string().transform((text, { issues }): KeyObject => {
  try {
    // Files of variables hold no line breaks.
    const key = createPrivateKey(text.replaceAll('\\n', '\n'))
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error()
    return key
  } catch {
    issues.push({ code: 'custom', input: text, message: 'a private P-256 key in PEM (PKCS 8)' })
    return z.NEVER
  }
})

/** What the gateway has to be told besides how to check tokens. */
export const gatewayAuthSettings = {
  /** Where browsers find the gateway. */
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .default('http://localhost:8080')
    .transform((text) => new URL(text)),
  SESSION_KEY: z.string().min(secretLengthMin),
  CAPABILITY_PRIVATE_KEY: privateKey,
  OIDC_CLIENT_ID: z.string().default('headwater-gateway'),
  OIDC_CLIENT_SECRET: z.string(),
  /** From one address, at one gateway. */
  APPLY_LIMIT_PER_HOUR: z.coerce.number().int().min(1).default(10),
  OIDC_SCOPES: z.string().default('openid profile email offline_access'),
}

const settingsSchema = z.object(gatewayAuthSettings)
export type GatewayAuthSettings = z.output<typeof settingsSchema> & {
  readonly DATABASE_URL: string
  readonly OIDC_ISSUER: string
  readonly OIDC_AUDIENCE: string
}

export type GatewayAuth = {
  /** What the browser's cookies stand for: a session first, as a person is more than the holder of a link. */
  readonly credentialSources: readonly CredentialSource[]
  readonly applying: Applying
  readonly people: People
  /** Whether the tables of signing in are there. */
  readonly tables: SessionDatabase['status']
  readonly followSession: SessionEnds['follow']
  /** Whether a page of ours sent this, for what only pages send. */
  readonly isOwnOrigin: (request: FastifyRequest) => boolean
  /** The routes of signing in, and the check of every unsafe request; before all other routes. */
  readonly register: (server: HttpServer) => Promise<void>
  readonly close: () => Promise<void>
}

export const createGatewayAuth = (
  settings: GatewayAuthSettings,
  {
    authenticator,
    logger,
    knowsEmail,
  }: {
    readonly authenticator: Authenticator
    readonly logger: Logger
    /** Is told the verified address of whoever signs in; must not fail. */
    readonly knowsEmail: (email: string, accessToken: string) => Promise<void>
  },
): GatewayAuth => {
  const { PUBLIC_URL: publicUrl, SESSION_KEY: secret, DATABASE_URL: databaseUrl } = settings
  const cookies = createCookies(publicUrl)
  const issuer = connectSignInIssuer(
    {
      issuer: settings.OIDC_ISSUER,
      clientId: settings.OIDC_CLIENT_ID,
      clientSecret: settings.OIDC_CLIENT_SECRET,
      scopes: settings.OIDC_SCOPES,
      publicUrl,
    },
    logger,
  )
  const database = openSessionDatabase(databaseUrl, logger)
  const sessions = createSessions({ database, secret, refresh: issuer.refresh, logger })
  const people = createPeople(database, logger)
  const sessionEnds = watchSessionEnds({ sessions, databaseUrl, logger })
  const capabilities = createCapabilities({
    authenticator,
    cookies,
    audience: settings.OIDC_AUDIENCE,
    privateKey: settings.CAPABILITY_PRIVATE_KEY,
  })
  const signedInOf = findSignedIn({ cookies, sessions, authenticator })

  return {
    applying: createApplying(createApplyLimit(settings.APPLY_LIMIT_PER_HOUR), capabilities),
    people,
    tables: database.status,
    followSession: sessionEnds.follow,
    credentialSources: [
      async (request) => {
        const signedIn = await signedInOf(request)
        return signedIn ? [{ ...signedIn.credential, session: signedIn.session.key }] : []
      },
      capabilities.credentials,
    ],
    isOwnOrigin: (request) => isOwnOrigin(publicUrl, request),
    register: async (server) => {
      registerCsrfProtection(server, {
        publicUrl,
        hasCredentialCookie: (request) => hasSessionCookie(cookies, request) || capabilities.isHeldBy(request),
      })
      await registerSignIn(server, {
        issuer,
        authenticator,
        sessions,
        people,
        capabilities,
        cookies,
        signedInOf,
        secret,
        publicUrl,
        knowsEmail,
      })
      await registerLinks(server, { database, capabilities, publicUrl })
    },
    close: async () => {
      await sessionEnds.close()
      await database.close()
    },
  }
}
