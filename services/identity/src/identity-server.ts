// The identity service without a process around it: the issuer, its pages, and what operators may do about users.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Audit } from '@headwater/eventstore/audit'
import { publicRoute } from '@headwater/http-kit/access/access'
import { bearerCredentials, createAuthenticator } from '@headwater/http-kit/access/auth'
import { createHealth } from '@headwater/http-kit/server/health'
import type { PeopleServerOptions } from '@headwater/http-kit/server/people-server'
import { createServer, type HttpServer } from '@headwater/http-kit/server/server'
import type { Metrics } from '@headwater/http-kit/telemetry/metrics'
import { openSharedLimits } from '@headwater/postgres/shared-limits'
import { z } from 'zod'
import { originsOf } from './issuer/clients.ts'
import { mountIssuer } from './mount.ts'
import { allClients, type ReadyOptions, startPreparation } from './ready.ts'
import { registerAccount } from './sign-in/account.ts'
import { registerForms } from './sign-in/forms.ts'
import { registerSignIn } from './sign-in/sign-in.ts'
import { createSignInAudit } from './sign-in/sign-in-audit.ts'
import { registerUserRoutes } from './users/user-routes.ts'

const { resolve } = createRequire(import.meta.url)
const own = (name: string) => path.join(import.meta.dirname, '..', 'assets', name)
const assetSecondsMax = 60 * 60

/** What pages load, by name. */
const assets: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  'identity.css': { file: own('identity.css'), type: 'text/css' },
  'icon.svg': { file: own('icon.svg'), type: 'image/svg+xml' },
  'inter.woff2': {
    file: resolve('@fontsource-variable/inter/files/inter-latin-wght-normal.woff2'),
    type: 'font/woff2',
  },
  'source-serif.woff2': {
    file: resolve('@fontsource-variable/source-serif-4/files/source-serif-4-latin-wght-normal.woff2'),
    type: 'font/woff2',
  },
}

/** Every other rejection is a rule that refuses: 409. */
const statuses = { user_not_found: 404, own_account: 403 }

export type IdentityServerOptions = Omit<ReadyOptions, 'limits'> & {
  /** Whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: string
  readonly audit: Pick<Audit, 'note' | 'refused'>
  readonly metrics: Metrics
}

const userId = z.uuid()

export type IdentityServer = {
  readonly server: HttpServer
  /** The directory entry of an active user, otherwise undefined. @throws Problem 503 until it is ready */
  readonly find: PeopleServerOptions['find']
}

export const createIdentityServer = async (options: IdentityServerOptions): Promise<IdentityServer> => {
  const { store, pool, issuer, audience, demo, logger, trustedProxies, audit, metrics } = options
  const limits = openSharedLimits({ pool, table: 'sign_in_tries', gauge: metrics.gauge, logger })
  const preparation = startPreparation({ ...options, limits })
  const { ready } = preparation
  // Its own tokens are checked as everywhere else.
  const authenticator = createAuthenticator(
    {
      OIDC_ISSUER: issuer,
      OIDC_AUDIENCE: audience,
      OIDC_ROLES_CLAIM: 'roles',
      OIDC_PARTNER_CLIENTS: [],
      CAPABILITY_PUBLIC_KEYS: [],
    },
    logger,
  )
  const contentSecurityPolicy = {
    'default-src': ["'none'"],
    'style-src': ["'self'"],
    'font-src': ["'self'"],
    'img-src': ["'self'"],
    // Signing in ends at the client, by redirections that begin at a form.
    'form-action': ["'self'", ...originsOf(allClients(options))],
    'base-uri': ["'none'"],
    'frame-ancestors': ["'none'"],
  }
  const health = createHealth(
    {
      'event store': async () => {
        await store.head()
        return {}
      },
      postgres: async () => {
        await pool.query('select')
        return {}
      },
      issuer: () => ({ trouble: preparation.isReady() ? undefined : 'Its tables and keys are not there yet.' }),
    },
    { limits: limits.status },
  )
  const server = await createServer({
    title: 'Headwater identity',
    description: 'The embedded OpenID Connect issuer.',
    logger,
    health,
    metrics,
    contentSecurityPolicy,
    trustedProxies,
    statuses,
    credentialsOf: bearerCredentials(authenticator),
    onRefused: audit.refused,
  })
  server.addHook('onClose', async () => {
    await Promise.all([preparation.stop(), limits.close()])
  })

  for (const [name, { file, type }] of Object.entries(assets)) {
    const content = readFileSync(file)
    server.get(`/assets/${name}`, { schema: { hide: true }, config: publicRoute }, async (_request, reply) =>
      reply.type(type).header('cache-control', `public, max-age=${assetSecondsMax}`).send(content),
    )
  }
  registerUserRoutes(server, ready)
  // To the library's one page with a script, which it allows by its hash, 'self' is where scripts may come from: there are none.
  const ofLibrary = Object.entries({ ...contentSecurityPolicy, 'script-src': ["'self'"] })
  await mountIssuer(server, {
    provider: () => ready().provider,
    issuer,
    contentSecurityPolicy: ofLibrary.map(([name, sources]) => [name, ...sources].join(' ')).join(';'),
  })
  const signInAudit = createSignInAudit(audit)
  await registerForms(server, issuer, (scope) => {
    registerSignIn(scope, { ready, issuer, showsDemo: demo !== undefined, metrics, audit: signInAudit })
    registerAccount(scope, { ready, issuer, audit: signInAudit })
  })
  return {
    server,
    find: async (id) => (userId.safeParse(id).success ? ready().users.find(id) : undefined),
  }
}
