// The whole system as processes of a test's own: started on free ports, killed, restarted, and asked over HTTP.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { startIssuer, type TestIssuer } from '../../packages/http-kit/test/issuer.ts'
import { freePort } from '../free-port.ts'
import { testDatabase } from './database.ts'
import { startSignedIn } from './signed-in.ts'

const readyMsMax = 60_000
/** One person, whichever replica answers them. */
export const underwriter = 'grace'
const tokenLifetimeSeconds = 24 * 60 * 60
const applicantKey = randomUUID()
const webhookKey = randomUUID()
const root = path.resolve(import.meta.dirname, '../..')

/** Waits until `check` holds. The deadline is a limit, not a measurement. */
export const until = async (what: string, check: () => boolean | Promise<boolean>, deadlineMs = 30_000) => {
  const deadline = Date.now() + deadlineMs
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`Still waiting after ${deadlineMs} ms: ${what}`)
    await sleep(20)
  }
}

/** One process of the system, which can be killed and comes back on the same port with the same data. */
export type Part = {
  readonly name: string
  readonly url: string
  /** @param more settings for this run of it only */
  readonly start: (more?: Readonly<Record<string, string>>) => Promise<void>
  /** Ends it without a word, as a crash does. */
  readonly kill: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
  /** What it wrote, for the message of a test that fails. */
  readonly output: () => string
}

const part = (name: string, script: string, port: number, env: Record<string, string>, readyPath?: string): Part => {
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let output = ''

  const ended = (process: ChildProcess) =>
    new Promise<void>((resolve) => {
      if (process.exitCode !== null || process.signalCode !== null) resolve()
      else process.once('exit', () => resolve())
    })
  const end = async (signal: NodeJS.Signals) => {
    const running = child
    child = undefined
    if (!running) return
    running.kill(signal)
    await ended(running)
  }
  return {
    name,
    url,
    output: () => output,
    start: async (more) => {
      const started = spawn(process.execPath, [path.join(root, script)], {
        cwd: root,
        env: { ...process.env, LOG_LEVEL: 'warn', ...env, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      child = started
      const listening = new Promise<void>((resolve) => {
        for (const stream of [started.stdout, started.stderr])
          stream?.setEncoding('utf8').on('data', (text: string) => {
            output = (output + text).slice(-20_000)
            resolve()
          })
      })
      const failed = ended(started).then(() => {
        if (child === started) throw new Error(`${name} ended while starting:\n${output}`)
      })
      const ready = readyPath
        ? until(
            `${name} is ready`,
            async () => (await fetch(url + readyPath).catch(() => undefined))?.ok === true,
            readyMsMax,
          )
        : listening
      await Promise.race([ready, failed])
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    signal: (signal) => void child?.kill(signal),
  }
}

export type System = {
  readonly eventstore: Part
  readonly sandbox: Part
  /** Replicas of the loan service; the gateway forwards to the first. */
  readonly loans: readonly Part[]
  readonly consent: Part
  readonly projector: Part
  readonly web: Part
  readonly dashboardProjector: Part
  readonly jobs: Part
  readonly gateway: Part
  readonly issuer: TestIssuer
  /** Headers of the underwriter's requests. */
  readonly asUnderwriter: Readonly<Record<'authorization', string>>
  /** Headers for whoever has the link to a loan. */
  readonly asApplicantOf: (loanId: string) => Promise<Readonly<Record<string, string>>>
  /** The gateway as a browser finds it in which somebody is signed in. */
  readonly urlFor: { readonly applicant: string; readonly underwriter: string }
  readonly eventstoreUrl: string
  /** What names applicants' streams. */
  readonly applicantKey: string
  readonly databaseUrl: string
  readonly stop: () => Promise<void>
}

/** Starts all of it with empty data. */
export const startSystem = async ({ loanReplicas = 1 }: { loanReplicas?: number } = {}): Promise<System> => {
  const directory = path.join(root, '.data', 'test', randomUUID())
  const database = await testDatabase()
  // Longer than any run: nobody here refreshes tokens.
  const issuer = await startIssuer({ lifetimeSeconds: tokenLifetimeSeconds })
  const [
    eventstorePort,
    sandboxPort,
    smtpPort,
    consentPort,
    projectorPort,
    dashboardProjectorPort,
    jobsPort,
    webPort,
    gatewayPort,
  ] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const loanPorts = await Promise.all(Array.from({ length: loanReplicas }, freePort))
  const eventstoreUrl = `esdb://127.0.0.1:${eventstorePort}?tls=false`
  const edge = { EVENTSTORE_URL: eventstoreUrl, EDGE_DIRECTORY: path.join(directory, 'edge') }
  const ready = '/health/ready'

  const eventstore = part('eventstore', 'packages/embedded-eventstore/src/main.ts', eventstorePort, {
    EMBEDDED_EVENTSTORE_PORT: String(eventstorePort),
    EMBEDDED_EVENTSTORE_DIRECTORY: path.join(directory, 'eventstore'),
  })
  const sandbox = part(
    'sandbox',
    'services/sandbox/src/main.ts',
    sandboxPort,
    { PORT: String(sandboxPort), SMTP_PORT: String(smtpPort) },
    ready,
  )
  const loans = loanPorts.map((port, index) =>
    part(
      `loan ${index + 1}`,
      'services/loan/src/main.ts',
      port,
      {
        PORT: String(port),
        EVENTSTORE_URL: eventstoreUrl,
        CREDIT_BUREAU_URL: sandbox.url,
        APPLICANT_KEY: applicantKey,
        ...issuer.env,
      },
      ready,
    ),
  )
  const consent = part(
    'consent',
    'services/consent/src/main.ts',
    consentPort,
    { PORT: String(consentPort), EVENTSTORE_URL: eventstoreUrl, ...issuer.env },
    ready,
  )
  const projector = part(
    'edge-projector',
    'services/edge-projector/src/main.ts',
    projectorPort,
    { PORT: String(projectorPort), ...edge },
    ready,
  )
  const web = part(
    'web',
    'services/web/src/main.ts',
    webPort,
    { PORT: String(webPort), GATEWAY_URL: `http://127.0.0.1:${gatewayPort}` },
    ready,
  )
  const dashboardProjector = part(
    'dashboard-projector',
    'services/dashboard-projector/src/main.ts',
    dashboardProjectorPort,
    { PORT: String(dashboardProjectorPort), EVENTSTORE_URL: eventstoreUrl, DATABASE_URL: database.url },
    ready,
  )
  const jobs = part(
    'jobs',
    'services/jobs/src/main.ts',
    jobsPort,
    {
      PORT: String(jobsPort),
      EVENTSTORE_URL: eventstoreUrl,
      DATABASE_URL: database.url,
      CREDIT_BUREAU_URL: sandbox.url,
      SMTP_URL: `smtp://127.0.0.1:${smtpPort}`,
      APPLICANT_KEY: applicantKey,
      WEBHOOK_KEY: webhookKey,
      WEBHOOK_ALLOW_PRIVATE: '1',
      ...issuer.env,
    },
    ready,
  )
  const gateway = part(
    'gateway',
    'services/gateway/src/main.ts',
    gatewayPort,
    {
      PORT: String(gatewayPort),
      ...edge,
      WEB_URL: web.url,
      DATABASE_URL: database.url,
      LOAN_URL: loans[0]?.url ?? '',
      CONSENT_URL: consent.url,
      JOBS_URL: jobs.url,
      ...issuer.env,
      PUBLIC_URL: `http://127.0.0.1:${gatewayPort}`,
      SESSION_KEY: randomUUID(),
      CAPABILITY_PRIVATE_KEY: issuer.capabilityPrivateKey,
      OIDC_CLIENT_SECRET: randomUUID(),
      // Everybody of a test has one address.
      APPLY_LIMIT_PER_HOUR: '1000000',
    },
    ready,
  )

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const asUnderwriter = bearer(await issuer.tokenOf({ sub: underwriter, roles: ['underwriter'] }))
  const browsers = [
    await startSignedIn(gateway.url, bearer(await issuer.tokenOf({ sub: 'zoe' }))),
    await startSignedIn(gateway.url, asUnderwriter),
  ] as const
  const urlFor = { applicant: browsers[0].url, underwriter: browsers[1].url }

  const parts = [eventstore, sandbox, ...loans, consent, projector, dashboardProjector, jobs, web, gateway]
  const stop = async () => {
    await Promise.all(browsers.map((browser) => browser.stop()))
    for (const running of parts.toReversed()) await running.stop()
    await issuer.stop()
    rmSync(directory, { recursive: true, force: true })
    await database.remove()
  }
  try {
    await eventstore.start()
    await Promise.all([sandbox, ...loans, consent, projector, dashboardProjector, jobs].map((one) => one.start()))
    await Promise.all([web, gateway].map((one) => one.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    eventstore,
    sandbox,
    loans,
    consent,
    projector,
    dashboardProjector,
    jobs,
    web,
    gateway,
    issuer,
    asUnderwriter,
    asApplicantOf: async (loanId) => bearer(await issuer.capabilityOf(loanId)),
    urlFor,
    eventstoreUrl,
    applicantKey,
    databaseUrl: database.url,
    stop,
  }
}

/** As if they had signed in under these names. */
export const nameThem = async (
  { databaseUrl }: Pick<System, 'databaseUrl'>,
  names: Readonly<Record<string, string>>,
) => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  for (const person of Object.entries(names))
    await client.query('insert into headwater.people (sub, name) values ($1, $2)', person)
  await client.end()
}

/** Posts JSON; without a body, an empty object. */
export const post = async (url: string, body: object = {}, headers: Record<string, string> = {}) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(readyMsMax),
  })
  const answer: unknown = await response.json()
  return { status: response.status, body: answer as Record<string, unknown> }
}

/** Six digits and two letters that the sandbox gives the score of its first digit. */
export const nationalId = (firstDigit: number, serial: number): string =>
  `${firstDigit}${String(serial % 100_000).padStart(5, '0')}AA`

export const application = (id = nationalId(5, 1)) => ({
  name: 'Ada Lovelace',
  address: '12 St James Square, London',
  nationalId: id,
  amount: 10_000,
})
