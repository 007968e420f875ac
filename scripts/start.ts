// `npm start`: runs all of Headwater on this machine, with nothing to install beside it. `npm start -- --fresh` starts empty.
import { rmSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { portIsFree } from '@headwater/test-kit/free-port'
import { removePostgresData } from '@headwater/test-kit/local-postgres'
import { buildWeb } from './build-web.ts'
import { capabilityKeys } from './local/capability-keys.ts'
import { createPrinter } from './local/readable-log.ts'
import { type Part, type Supervised, supervise } from './local/supervise.ts'

const readyMsMax = 60_000
const readyPollMs = 100

const { env } = process
const root = path.join(import.meta.dirname, '..')
const dataDirectory = path.resolve(root, env.DATA_DIRECTORY ?? '.data')

const { fresh } = parseArgs({ options: { fresh: { type: 'boolean', default: false } } }).values

type Setting = { readonly variable: string; readonly port: number }

const setting = (variable: string, defaultPort: number): Setting => ({
  variable,
  port: Number(env[variable] ?? defaultPort),
})
const ports = {
  eventstore: setting('EVENTSTORE_PORT', 2113),
  gateway: setting('GATEWAY_PORT', 8080),
  loan: setting('LOAN_PORT', 8081),
  consent: setting('CONSENT_PORT', 8087),
  'edge-projector': setting('EDGE_PROJECTOR_PORT', 8082),
  web: setting('WEB_PORT', 8085),
  'dashboard-projector': setting('DASHBOARD_PROJECTOR_PORT', 8083),
  jobs: setting('JOBS_PORT', 8084),
  identity: setting('IDENTITY_PORT', 8086),
  people: setting('PEOPLE_PORT', 8091),
  sandbox: setting('SANDBOX_PORT', 8090),
  postgres: setting('POSTGRES_PORT', 5432),
}
/** The sandbox's other port. */
const smtp = setting('SMTP_PORT', 8025)
const localUrl = ({ port }: Setting) => `http://127.0.0.1:${port}`
/** As browsers are told to go there. */
const home = `http://localhost:${ports.gateway.port}`

const keys = capabilityKeys(dataDirectory)
const addresses = {
  EVENTSTORE_URL: env.EVENTSTORE_URL ?? `esdb://localhost:${ports.eventstore.port}?tls=false`,
  CREDIT_BUREAU_URL: env.CREDIT_BUREAU_URL ?? localUrl(ports.sandbox),
  SMTP_PORT: String(smtp.port),
  SMTP_URL: env.SMTP_URL ?? `smtp://127.0.0.1:${smtp.port}`,
  LOAN_URL: localUrl(ports.loan),
  CONSENT_URL: localUrl(ports.consent),
  JOBS_URL: localUrl(ports.jobs),
  PEOPLE_URL: localUrl(ports.people),
  WEB_URL: localUrl(ports.web),
  GATEWAY_URL: localUrl(ports.gateway),
  DATABASE_URL: env.DATABASE_URL ?? `postgres://postgres@127.0.0.1:${ports.postgres.port}/postgres`,
  EDGE_DIRECTORY: path.join(dataDirectory, 'edge'),
  // Development only: production has a secret of its own, which never changes.
  APPLICANT_KEY: env.APPLICANT_KEY ?? 'development-only-development-only',
  OIDC_ISSUER: env.OIDC_ISSUER ?? `http://localhost:${ports.identity.port}`,
  PUBLIC_URL: home,
  CAPABILITY_PUBLIC_KEYS: env.CAPABILITY_PUBLIC_KEYS ?? keys.publicKey,
}

/** Development only: in production the key is a secret, and webhooks are on the open Internet. */
const webhooks = {
  WEBHOOK_KEY: env.WEBHOOK_KEY ?? 'development-only-development-only',
  WEBHOOK_ALLOW_PRIVATE: '1',
}

/** Nobody else can make capabilities, or sign people in. */
const gatewaySecrets = {
  CAPABILITY_PRIVATE_KEY: env.CAPABILITY_PRIVATE_KEY ?? keys.privateKey,
  OIDC_CLIENT_SECRET: env.OIDC_CLIENT_SECRET ?? 'development-only-headwater-gateway',
  SESSION_KEY: env.SESSION_KEY ?? 'development-only-development-only',
  // Whoever uses this machine has one address, `npm run seed` too.
  APPLY_LIMIT_PER_HOUR: env.APPLY_LIMIT_PER_HOUR ?? '1000000',
}

/** Development only. Who there is, identity knows; with another issuer, the gateway: those who signed in. */
const peopleKey = { PEOPLE_KEY: 'development-only-development-only' }
const directory = env.OIDC_ISSUER ? 'gateway' : 'identity'

/** Development only: people and clients to try, and keys that everybody may know. */
const identity = {
  IDENTITY_ISSUER: addresses.OIDC_ISSUER,
  IDENTITY_DEMO: '1',
  IDENTITY_KEY: 'development-only-development-only',
  IDENTITY_COOKIE_KEYS: 'development-only-development-only',
}

const eventstore: Part = {
  name: 'eventstore',
  ...ports.eventstore,
  script: 'packages/embedded-eventstore/src/main.ts',
  env: {
    EMBEDDED_EVENTSTORE_PORT: String(ports.eventstore.port),
    EMBEDDED_EVENTSTORE_DIRECTORY: path.join(dataDirectory, 'eventstore'),
  },
}

const postgresDirectory = path.join(dataDirectory, 'postgres')
const postgres: Part = {
  name: 'postgres',
  ...ports.postgres,
  script: 'scripts/local/serve-postgres.ts',
  env: { POSTGRES_PORT: String(ports.postgres.port), POSTGRES_DIRECTORY: postgresDirectory },
}

const service = (name: Exclude<keyof typeof ports, 'eventstore' | 'postgres' | 'people'>): Part => ({
  name,
  ...ports[name],
  script: `services/${name}/src/main.ts`,
  env: {
    PORT: String(ports[name].port),
    ...addresses,
    ...(name === 'gateway' && gatewaySecrets),
    ...(name === 'identity' && identity),
    ...(name === 'jobs' && webhooks),
    ...((name === 'consent' || name === directory) && { ...peopleKey, PEOPLE_PORT: String(ports.people.port) }),
  },
  readyUrl: `${localUrl(ports[name])}/health/ready`,
})

/**
 * What has an address of its own is not started. Everything waits for what it needs, but would say so: each stage begins when
 * the one before is ready.
 */
const stages: readonly (readonly Part[])[] = [
  [
    ...(env.EVENTSTORE_URL ? [] : [eventstore]),
    ...(env.DATABASE_URL ? [] : [postgres]),
    ...(env.CREDIT_BUREAU_URL ? [] : [service('sandbox')]),
  ],
  env.OIDC_ISSUER ? [] : [service('identity')],
  [
    service('edge-projector'),
    service('dashboard-projector'),
    service('jobs'),
    service('loan'),
    service('consent'),
    service('web'),
    service('gateway'),
  ],
]
const parts = stages.flat()

const print = createPrinter(parts.map(({ name }) => name))

const fail = (text: string): never => {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}

const isReady = async ({ readyUrl, port }: Part, signal: AbortSignal): Promise<boolean> => {
  if (readyUrl === undefined) return !(await portIsFree(port))
  const answer = await fetch(readyUrl, { signal }).catch(() => undefined)
  return answer?.ok === true
}

const whenReady = async (part: Part, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted && !(await isReady(part, signal)))
    await new Promise((resolve) => setTimeout(resolve, readyPollMs))
}

for (const { name, port, variable } of [...parts, { name: 'people', ...ports.people }])
  if (!(await portIsFree(port)))
    fail(
      `Port ${port}, meant for ${name}, is taken by another program. Stop that, or choose another: ${variable}=<port>`,
    )

buildWeb()

if (fresh) {
  for (const folder of ['eventstore', 'edge'])
    rmSync(path.join(dataDirectory, folder), { recursive: true, force: true })
  removePostgresData(postgresDirectory)
}

const supervised: Supervised[] = []
let stopping = false
const stop = async () => {
  if (stopping) return
  stopping = true
  print('start', 'stopping ...')
  // The front door first, the store last: nobody loses what stands behind it while still at work.
  for (const { stop } of supervised.toReversed()) await stop()
  process.exit(0)
}
process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop)

const patience = AbortSignal.timeout(readyMsMax)
for (const stage of stages) {
  if (stopping) break
  supervised.push(...stage.map((part) => supervise(part, { root, print })))
  await Promise.all(stage.map((part) => whenReady(part, patience)))
}
if (patience.aborted && !stopping)
  print('start', `not everything is ready after ${readyMsMax / 1_000} s; the lines above say why. Still trying.`)

if (!stopping)
  process.stdout.write(`
  Headwater runs.   ${home}                apply, and watch what happens
                    ${home}/underwriting   what waits for a decision
                    ${home}/consents       who may see which part of a health record
                    ${home}/api/docs       commands and queries
  Mails             ${env.SMTP_URL ? 'sent by SMTP_URL' : `${localUrl(ports.sandbox)}/inbox   what people are sent`}
  People            ${addresses.OIDC_ISSUER}/account        who you are; the sign-in page names people to try
  Data              ${path.relative(process.cwd(), dataDirectory) || dataDirectory}   (npm start -- --fresh starts empty)

  Try, with the page open:
    curl ${home}/api/loans -H 'content-type: application/json' -d '{"name":"Ada Lovelace","address":"12 St James Square, London","nationalId":"555555AA","amount":10000}'

  Ctrl-C stops everything.

`)
