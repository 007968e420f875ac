// The whole system as processes of a test's own: started on free ports, killed, restarted, and asked over HTTP.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Client } from 'pg'
import { freePort } from './free-port.ts'
import { startIssuer, type TestIssuer } from './issuer.ts'
import { createPart, type Part } from './part.ts'
import { startSignedIn } from './signed-in.ts'

export type { Part } from './part.ts'
export { until } from './until.ts'

const answerMsMax = 60_000
/** One person, whichever replica answers them. */
export const underwriter = 'grace'
const tokenLifetimeSeconds = 24 * 60 * 60
const applicantKey = randomUUID()
const webhookKey = randomUUID()
const peopleKey = randomUUID()

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
  /** One more of each of which one works at a time, where a test wants them. */
  readonly standBys: readonly Part[]
  readonly gateway: Part
  readonly issuer: TestIssuer
  /** Headers of the underwriter's requests. */
  readonly asUnderwriter: Readonly<Record<'authorization', string>>
  /** Headers for whoever has the link to a loan. */
  readonly asApplicantOf: (loanId: string) => Promise<Readonly<Record<string, string>>>
  /** The gateway as a browser finds it in which somebody is signed in. */
  readonly urlFor: { readonly applicant: string; readonly underwriter: string }
  readonly eventstoreUrl: string
  /** Where the edge's SQLite files are. */
  readonly edgeDirectory: string
  /** What names applicants' streams. */
  readonly applicantKey: string
  readonly databaseUrl: string
  readonly stop: () => Promise<void>
}

type PartName = 'consent' | 'dashboard-projector' | 'edge-projector' | 'gateway' | 'jobs' | 'web'

/** What a test has otherwise than it would be. */
export type Surroundings = {
  readonly loanReplicas?: number
  /** One more of each of which one works at a time. */
  readonly standBys?: boolean
  /** What is not started, by its name: each takes as long as a second of a processor. */
  readonly without?: readonly PartName[]
  /** An empty one; by default on the server that the run was given. */
  readonly database?: { readonly url: string; readonly remove: () => Promise<void> }
  /** What a part is told of where a store is: its address, or that of something in between. */
  readonly wayTo?: (part: string, address: string) => Promise<string>
  /** More settings of a part, for every run of it. */
  readonly settingsOf?: (part: string) => Readonly<Record<string, string>>
  /** Where its files go; what is there afterwards is removed. */
  readonly directory?: string
  /** Fills the folder of the event store before anything is started. */
  readonly fill?: (eventstoreDirectory: string) => Promise<void>
}

/** Vitest's, so that whoever brings a database can run without it. */
const givenDatabase = async () => (await import('./database.ts')).testDatabase()

/** Starts all of it, with empty data where nothing is filled. */
export const startSystem = async ({
  loanReplicas = 1,
  standBys: hasStandBys = false,
  without = [],
  database: own,
  wayTo = async (_part, address) => address,
  settingsOf = () => ({}),
  directory = mkdtempSync(path.join(tmpdir(), 'system-')),
  fill = async () => undefined,
}: Surroundings = {}): Promise<System> => {
  const edgeDirectory = path.join(directory, 'edge')
  const eventstoreDirectory = path.join(directory, 'eventstore')
  await fill(eventstoreDirectory)
  const database = own ?? (await givenDatabase())
  // Longer than any run: nobody here refreshes tokens.
  const issuer = await startIssuer({ lifetimeSeconds: tokenLifetimeSeconds })
  const eventstorePort = await freePort()
  const smtpPort = await freePort()
  const eventstoreUrl = `esdb://127.0.0.1:${eventstorePort}?tls=false`

  const service = async (service: string, settings: Readonly<Record<string, string>>, name = service) => {
    const port = await freePort()
    const env = { ...settings, PORT: String(port), ...settingsOf(name) }
    return createPart(name, `services/${service}/src/main.ts`, port, env, '/health/ready')
  }
  const toEvents = async (name: string) => ({ EVENTSTORE_URL: await wayTo(name, eventstoreUrl) })
  const toDatabase = async (name: string) => ({ DATABASE_URL: await wayTo(name, database.url) })

  const eventstore = createPart('eventstore', 'packages/embedded-eventstore/src/main.ts', eventstorePort, {
    EMBEDDED_EVENTSTORE_PORT: String(eventstorePort),
    EMBEDDED_EVENTSTORE_DIRECTORY: eventstoreDirectory,
    ...settingsOf('eventstore'),
  })
  const sandbox = await service('sandbox', { SMTP_PORT: String(smtpPort) })
  const applicants = { CREDIT_BUREAU_URL: sandbox.url, APPLICANT_KEY: applicantKey }
  const loan = async (_: unknown, index: number) => {
    const name = `loan ${index + 1}`
    return service('loan', { ...(await toEvents(name)), ...applicants, ...issuer.env }, name)
  }
  const loans = await Promise.all(Array.from({ length: loanReplicas }, loan))
  // The gateway's own record of who has signed in: the issuer is none of ours.
  const peoplePort = await freePort()
  const consent = await service('consent', {
    ...(await toEvents('consent')),
    PEOPLE_URL: `http://127.0.0.1:${peoplePort}`,
    PEOPLE_KEY: peopleKey,
    ...issuer.env,
  })
  const projector = await service('edge-projector', {
    ...(await toEvents('edge-projector')),
    EDGE_DIRECTORY: edgeDirectory,
  })
  const startDashboardProjector = async (name: string) =>
    service('dashboard-projector', { ...(await toEvents(name)), ...(await toDatabase(name)) }, name)
  const startJobs = async (name: string) =>
    service(
      'jobs',
      {
        ...(await toEvents(name)),
        ...(await toDatabase(name)),
        ...applicants,
        SMTP_URL: `smtp://127.0.0.1:${smtpPort}`,
        WEBHOOK_KEY: webhookKey,
        WEBHOOK_ALLOW_PRIVATE: '1',
        ...issuer.env,
      },
      name,
    )
  const dashboardProjector = await startDashboardProjector('dashboard-projector')
  const jobs = await startJobs('jobs')
  const standBys = hasStandBys
    ? [await startDashboardProjector('dashboard-projector 2'), await startJobs('jobs 2')]
    : []
  const gatewayPort = await freePort()
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`
  const web = await service('web', { GATEWAY_URL: gatewayUrl })
  const gateway = createPart(
    'gateway',
    'services/gateway/src/main.ts',
    gatewayPort,
    {
      PORT: String(gatewayPort),
      ...(await toEvents('gateway')),
      ...(await toDatabase('gateway')),
      EDGE_DIRECTORY: edgeDirectory,
      WEB_URL: web.url,
      LOAN_URL: loans[0]?.url ?? '',
      CONSENT_URL: consent.url,
      JOBS_URL: jobs.url,
      ...issuer.env,
      PUBLIC_URL: gatewayUrl,
      SESSION_KEY: randomUUID(),
      PEOPLE_PORT: String(peoplePort),
      PEOPLE_KEY: peopleKey,
      CAPABILITY_PRIVATE_KEY: issuer.capabilityPrivateKey,
      OIDC_CLIENT_SECRET: randomUUID(),
      // Everybody of a test has one address.
      APPLY_LIMIT_PER_HOUR: '1000000',
      ...settingsOf('gateway'),
    },
    '/health/ready',
  )

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const asUnderwriter = bearer(await issuer.tokenOf({ sub: underwriter, roles: ['underwriter'] }))
  const browsers = [
    await startSignedIn(gateway.url, bearer(await issuer.tokenOf({ sub: 'zoe' }))),
    await startSignedIn(gateway.url, asUnderwriter),
  ] as const
  const urlFor = { applicant: browsers[0].url, underwriter: browsers[1].url }

  const middle = [sandbox, ...loans, consent, projector, dashboardProjector, jobs, ...standBys]
  const front = [web, gateway]
  const stop = async () => {
    await Promise.all(browsers.map((browser) => browser.stop()))
    for (const running of [eventstore, ...middle, ...front].toReversed()) await running.stop()
    await issuer.stop()
    rmSync(directory, { recursive: true, force: true })
    await database.remove()
  }
  try {
    const startAll = (parts: readonly Part[]) =>
      Promise.all(parts.filter(({ name }) => !without.some((one) => one === name)).map((one) => one.start()))
    await eventstore.start()
    await startAll(middle)
    await startAll(front)
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
    standBys,
    web,
    gateway,
    issuer,
    asUnderwriter,
    asApplicantOf: async (loanId) => bearer(await issuer.capabilityOf(loanId)),
    urlFor,
    eventstoreUrl,
    edgeDirectory,
    applicantKey,
    databaseUrl: database.url,
    stop,
  }
}

/** As if they had signed in, by their subs. */
export const introduce = async (
  { databaseUrl }: Pick<System, 'databaseUrl'>,
  people: Readonly<Record<string, { readonly name?: string; readonly roles?: readonly string[] }>>,
) => {
  const rows = Object.entries(people).map(([sub, { name, roles = [] }]) => ({ sub, name, roles }))
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(
    `insert into headwater.people (sub, name, roles)
     select sub, name, roles from json_to_recordset($1) as person (sub text, name text, roles text[])
     on conflict (sub) do nothing`,
    [JSON.stringify(rows)],
  )
  await client.end()
}

/** Posts JSON; without a body, an empty object. */
export const post = async (url: string, body: object = {}, headers: Record<string, string> = {}) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(answerMsMax),
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
