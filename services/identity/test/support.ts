// What the tests of identity share: a store, a database, identity processes on them, and a browser without a screen.
import { spawn } from 'node:child_process'
import { randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { testDatabase } from '@headwater/test-kit/database'
import { freePort } from '@headwater/test-kit/free-port'
import { until } from '@headwater/test-kit/system'
import * as oidc from 'openid-client'
import pino from 'pino'
import { expect } from 'vitest'

export const deadlineMs = 25_000
const byteValues = 256
export const identityKey = 'a key of the tests, long enough for a key'
export const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

/** Nothing answers here: tests look at where they are sent, and do not go. */
export const callbackUrl = 'http://127.0.0.1:9/auth/callback'
export const signedOutUrl = 'http://127.0.0.1:9/'
export const application = { id: 'test-application', secret: 'a secret of the test application' }
export const partner = { id: 'test-partner', secret: 'a secret of the test partner' }
const clients = [
  { ...application, redirectUris: [callbackUrl], postLogoutRedirectUris: [signedOutUrl] },
  { ...partner, scopes: ['loans:write', 'loans:read'] },
]

type Identity = ReturnType<typeof startIdentity>

/** A store and a database, and as many identity processes on them as a test asks for. */
export const startWorld = async () => {
  const node = await startEventStore({ port: 0, memory: true })
  const store = connectEventStore({ url: node.connectionString, logger })
  const database = await testDatabase()
  const running: Identity[] = []
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const launch = (env: Record<string, string>, at: number) => {
    const identity = startIdentity(at, {
      IDENTITY_ISSUER: issuer,
      DATABASE_URL: database.url,
      EVENTSTORE_URL: node.connectionString,
      IDENTITY_KEY: identityKey,
      IDENTITY_COOKIE_KEYS: 'a cookie key of the tests long enough too',
      IDENTITY_CLIENTS: JSON.stringify(clients),
      ...env,
    })
    running.push(identity)
    return identity
  }
  return {
    store,
    database,
    issuer,
    /** @param at the port; the issuer's own unless it is one more replica */
    start: async (env: Record<string, string> = {}, at: number = port) => {
      const identity = launch(env, at)
      await until('identity is ready', async () => (await identity.answers('/health/ready')) === 200, deadlineMs)
      return identity
    },
    /** Started where something it needs is away. */
    startUnready: async () => {
      const identity = launch({}, port)
      await until('identity lives', async () => (await identity.answers('/health/live')) === 200, deadlineMs)
      return identity.url
    },
    replica: freePort,
    stop: async () => {
      await Promise.all(running.map((identity) => identity.kill()))
      await store.close()
      await node.stop()
      await database.remove()
    },
  }
}

const startIdentity = (port: number, env: Record<string, string>) => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../src/main.ts')], {
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      ...env,
      PORT: String(port),
      LOG_LEVEL: 'debug',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  const url = `http://localhost:${port}`
  const answers = async (target: string) => {
    if (child.exitCode !== null) throw new Error(`identity ended while starting:\n${output}`)
    return (await fetch(url + target).catch(() => undefined))?.status
  }
  return { url, answers, output: () => output, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') }
}

/** Of somebody behind the proxy that this machine is. */
export const anAddress = () => `10.${Array.from({ length: 3 }, () => randomInt(byteValues)).join('.')}`

type Cookie = { readonly value: string; readonly path: string }

/** Keeps cookies as a browser does, follows redirections inside the issuer, and stops where they lead elsewhere. */
export const createBrowser = (issuer: string, at = issuer, address = anAddress()) => {
  const cookies = new Map<string, Cookie>()
  const keep = (line: string) => {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const name = pair.slice(0, pair.indexOf('='))
    const attribute = (key: string) =>
      attributes.find((text) => text.toLowerCase().startsWith(`${key}=`))?.split('=')[1]
    const path = attribute('path') ?? '/'
    const expires = attribute('expires')
    if (expires !== undefined && Date.parse(expires) < Date.now()) cookies.delete(`${name} ${path}`)
    else cookies.set(`${name} ${path}`, { value: pair.slice(name.length + 1), path })
  }
  const visit = async (target: string, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(target, issuer)
    if (url.origin !== issuer) throw new Error(`Outside of the issuer: ${url}`)
    const sent = [...cookies].filter(([, { path }]) => url.pathname.startsWith(path))
    const headers = new Headers(init.headers)
    headers.set('x-forwarded-for', address)
    if (sent.length > 0)
      headers.set('cookie', sent.map(([key, { value }]) => `${key.split(' ')[0]}=${value}`).join('; '))
    const answer = await fetch(new URL(url.pathname + url.search, at), { ...init, headers, redirect: 'manual' })
    for (const line of answer.headers.getSetCookie()) keep(line)
    return answer
  }
  const location = (answer: Response) => new URL(answer.headers.get('location') ?? '', issuer)
  /** The last page, or the redirection that leads out. */
  const follow = async (answer: Response): Promise<{ readonly answer: Response; readonly out?: URL }> => {
    if (![302, 303].includes(answer.status)) return { answer }
    const next = location(answer)
    return next.origin === issuer ? follow(await visit(next.href)) : { answer, out: next }
  }
  const post = (target: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
    visit(target, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { 'sec-fetch-site': 'same-origin', ...headers },
    })
  return {
    cookies,
    visit,
    post,
    go: async (target: string) => follow(await visit(target)),
    submit: async (target: string, fields: Record<string, string>, headers?: Record<string, string>) =>
      follow(await post(target, fields, headers)),
  }
}

export type TestBrowser = ReturnType<typeof createBrowser>

/** What a page's first form sends to, and its hidden fields. */
export const formOf = async (answer: Response) => {
  const text = await answer.text()
  const hidden = [...text.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)]
  return {
    text,
    action: /<form[^>]* action="([^"]+)"/.exec(text)?.[1] ?? '',
    hidden: Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value])),
  }
}

export const discover = (issuer: string, { id, secret }: { id: string; secret: string } = application) =>
  oidc.discovery(new URL(issuer), id, secret, undefined, { execute: [oidc.allowInsecureRequests] })

/** What begins signing in to the application. */
export const beginSignIn = async (client: oidc.Configuration, more: Record<string, string> = {}) => {
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const url = oidc.buildAuthorizationUrl(client, {
    redirect_uri: callbackUrl,
    scope: 'openid profile',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    ...more,
  })
  const redeem = (out: URL, expectedNonce?: string) =>
    oidc.authorizationCodeGrant(client, out, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      ...(expectedNonce !== undefined && { expectedNonce }),
    })
  return { url: url.href, redeem }
}

/** Opens the sign-in page and says where its form goes. */
export const openSignIn = async (browser: TestBrowser, client: oidc.Configuration, more?: Record<string, string>) => {
  const begun = await beginSignIn(client, more)
  const { answer } = await browser.go(begun.url)
  expect(answer.status).toBe(200)
  return { ...begun, ...(await formOf(answer)) }
}

export const person = () => {
  const id = randomUUID().slice(0, 8)
  return { name: 'Zoë Quinn', userName: `zoe-${id}`, email: `zoe-${id}@example.org`, password: 'correct horse battery' }
}

/** Somebody new, registered and signed in to the application. */
export const register = async (browser: TestBrowser, client: oidc.Configuration, who = person()) => {
  const { action, redeem } = await openSignIn(browser, client)
  const { hidden } = await formOf((await browser.go(`${action}/register`)).answer)
  const { out, answer } = await browser.submit(`${action}/register`, { ...hidden, ...who })
  if (!out) throw new Error(`not registered: ${answer.status} ${await answer.text()}`)
  return { who, tokens: await redeem(out) }
}
