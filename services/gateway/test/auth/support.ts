// Servers with the gateway's sign-in and nothing else of it, several on one database, and a browser that only follows orders.

import { randomUUID } from 'node:crypto'
import { uuid } from '@headwater/deciders/fields'
import { owner, role } from '@headwater/deciders/policy'
import { authSettings, createAuthenticator } from '@headwater/http-kit/access/auth'
import { parseConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer } from '@headwater/http-kit/server/server'
import { createLogger, type Logger } from '@headwater/http-kit/telemetry/telemetry'
import { testDatabase } from '@headwater/test-kit/database'
import { freePort } from '@headwater/test-kit/free-port'
import { parseSetCookie } from 'cookie'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { createGatewayAuth, gatewayAuthSettings } from '../../src/auth/auth.ts'
import { createCredentials } from '../../src/auth/credentials.ts'
import { withForms } from '../../src/auth/forms.ts'
import type { People } from '../../src/people.ts'
import { startSignInIssuer } from './sign-in-issuer.ts'

const silent = createLogger({ service: 'test', level: 'silent' })
const settingsSchema = z.object({ ...authSettings, ...gatewayAuthSettings, DATABASE_URL: z.string() })

export type Site = {
  readonly people: People
  readonly url: string
  readonly settings: z.output<typeof settingsSchema>
  readonly close: () => Promise<void>
}

/** One more gateway of the same site: the same settings, another port. */
export const startSite = async (env: Record<string, string>, logger: Logger = silent): Promise<Site> => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const settings = parseSettings({ PUBLIC_URL: url, ...env })
  const authenticator = createAuthenticator(settings, logger)
  const auth = createGatewayAuth(settings, { authenticator, knowsEmail: async () => undefined, logger })
  const server = await createServer({
    title: 'A gateway',
    description: 'With nothing but sign-in.',
    logger,
    health: createHealth({}, {}),
    credentialsOf: createCredentials(authenticator, auth.credentialSources),
  })
  await auth.register(server)
  server.get('/api/secret', { config: { rules: [role('underwriter')] } }, async ({ actor }) => actor)
  server.post('/api/secret', { config: { rules: [role('underwriter')] } }, async ({ actor }) => actor)
  const things = { config: { rules: [owner('loans:write')] }, schema: { params: z.object({ id: uuid }) } }
  await withForms(server, (scope) => {
    scope.post('/api/things/:id', things, async (request) => ({ held: request.allowed.map(({ actor }) => actor.sub) }))
  })
  await server.listen({ host: '127.0.0.1', port })
  return {
    url,
    settings,
    people: auth.people,
    close: async () => {
      await server.close()
      await auth.close()
    },
  }
}

export const parseSettings = (env: Record<string, string>) => parseConfig(settingsSchema, env)

export const startIssuerAndDatabase = async ({ endSession = true } = {}) => {
  const issuer = await startSignInIssuer({ endSession })
  onTestFinished(issuer.stop)
  const database = await testDatabase()
  onTestFinished(database.remove)
  return { issuer, database, env: { ...issuer.env, DATABASE_URL: database.url, SESSION_KEY: randomUUID() } }
}

export const startAuth = async ({ endSession = true, logger }: { endSession?: boolean; logger?: Logger } = {}) => {
  const { issuer, database, env } = await startIssuerAndDatabase({ endSession })
  const site = await startSite(env, logger)
  onTestFinished(site.close)
  return { issuer, database, env, site }
}

/** What a browser sends with a form on the site's own page. */
export const ownPage = {
  'sec-fetch-site': 'same-origin',
  'content-type': 'application/x-www-form-urlencoded',
}

/** What a page's script, or the pages' own server, sends without a body. */
export const fetched = { 'sec-fetch-site': 'same-origin' }

/** Keeps cookies by host as browsers do, whatever the port, and follows a redirect when it is told to. */
export const openBrowser = (url: string) => {
  const jar = new Map<string, string>()
  const setCookies: string[] = []
  const ask = async (address: string, request: RequestInit = {}): Promise<Response> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(new URL(address, url), {
      redirect: 'manual',
      ...request,
      headers: { ...(cookie !== '' && { cookie }), ...request.headers },
    })
    for (const text of answer.headers.getSetCookie()) {
      setCookies.push(text)
      const { name, value = '', maxAge } = parseSetCookie(text)
      if (maxAge === 0) jar.delete(name)
      else jar.set(name, value)
    }
    return answer
  }
  const get = (address: string, headers: Record<string, string> = {}) => ask(address, { headers })
  const post = (address: string, headers: Record<string, string> = ownPage) => ask(address, { method: 'POST', headers })
  const follow = (answer: Response): Promise<Response> =>
    get(answer.headers.get('location') ?? 'http://nowhere.invalid')
  return {
    jar,
    setCookies,
    get,
    post,
    follow,
    /** To the issuer's page and back; the answer sends to where one was. */
    signIn: async (returnTo = '/') => {
      const toIssuer = await get(`/auth/sign-in?${new URLSearchParams({ returnTo })}`)
      const toCallback = await follow(toIssuer)
      return follow(toCallback)
    },
    me: async () => {
      const answer = await get('/auth/me')
      return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) }
    },
  }
}
