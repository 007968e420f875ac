// What the tests of jobs share: a store, a Postgres database, a credit bureau, and jobs processes that follow them.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { LoanCommand } from '@headwater/deciders/loan/loan'
import type { RequestedBy } from '@headwater/deciders/loan/loan-events'
import { applicantStream, loanStream } from '@headwater/deciders/loan/streams'
import { type EmbeddedEventStore, start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { startIssuer } from '@headwater/test-kit/issuer'
import { expect, onTestFinished, vi } from 'vitest'
import { logger, startBureau } from '../../../packages/third-parties/test/support.ts'

const deadlineMs = 45_000
const applicantKey = 'a key of the tests, long enough for a key'
const at = () => new Date().toISOString()

const anonymous: RequestedBy = { kind: 'anonymous', id: 'anonymous' }

/** Waits for `read` to give what matches. The deadline is a limit, not a measurement. */
export const untilMatches = (read: () => Promise<unknown>, expected: object, timeout = deadlineMs) =>
  expect.poll(read, { timeout }).toMatchObject(expected)

const isReady = { status: expect.not.stringContaining('starting') }

/** What is done when the test is over, or the file. */
type AtEnd = (end: () => Promise<void>) => void

/** @param expected of its health when this resolves */
const startProcess = async (env: Record<string, string>, expected: object, atEnd: AtEnd) => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../src/main.ts')], {
    env: { ...process.env, ...env, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  atEnd(() => end('SIGKILL'))
  let url = ''
  for await (const line of createInterface({ input: child.stdout })) {
    url = /http:[^"]+/.exec(line)?.[0] ?? ''
    if (url) break
  }
  child.stdout.resume()
  const health = async () => (await fetch(`${url}/health/ready`)).json()
  // Not `expect.poll`, which waits in tests only: a process may be there before the first.
  await vi.waitFor(async () => expect(await health()).toMatchObject(expected), { timeout: deadlineMs })
  return { url, health, kill: () => end('SIGKILL'), stop: () => end('SIGTERM'), signal: child.kill.bind(child) }
}

type Asked = {
  readonly method?: string
  readonly body?: unknown
  /** Empty for nobody. */
  readonly role?: string
  readonly headers?: Record<string, string>
}

const startNode = async (atEnd: AtEnd) => {
  const node = await startEventStore({ port: 0, memory: true })
  atEnd(() => node.stop())
  return node
}
const newDatabase = async (atEnd: AtEnd) => {
  const database = await testDatabase()
  atEnd(database.remove)
  return database
}

/** Where a world is kept. */
export type Given<Database = Pick<TestDatabase, 'url' | 'client'>> = {
  readonly node: Pick<EmbeddedEventStore, 'connectionString'>
  readonly database: Database
}

/** Everything that jobs need, and what loans and applicants are made by. */
export const startWorld = async (atEnd: AtEnd = onTestFinished) =>
  startWorldIn({ node: await startNode(atEnd), database: await newDatabase(atEnd) }, atEnd)

/** The same, on what is there. */
export const startWorldIn = async <Database extends Given['database']>(
  { node, database }: Given<Database>,
  atEnd: AtEnd = onTestFinished,
) => {
  const store = connectEventStore({ url: node.connectionString, logger })
  atEnd(store.close)
  const bureau = await startBureau(atEnd)
  const issuer = await startIssuer()
  atEnd(issuer.stop)

  const loans = createCommandHandler({
    store,
    stream: loanStream,
    logger,
  })
  const applicants = createCommandHandler({
    store,
    stream: applicantStream,
    logger,
  })
  const once = (commandId: string = randomUUID()) => ({ commandId, requestHash: 'hash', actor: 'test' })
  const send = (command: LoanCommand, commandId?: string) =>
    loans.handle({ ...once(commandId), id: command.data.loanId, command })
  const reserve = (loanId: string, nationalId: string) =>
    applicants.handle({
      ...once(),
      id: keyedId(applicantKey, nationalId),
      command: { type: 'ReserveApplication', data: { loanId, at: at() } },
    })
  const typesOf = async (stream: string) => (await store.readStream(stream, 0n, 100)).map(({ type }) => type)

  return {
    store,
    database,
    issuer,
    bureau,
    send,
    reserve,
    /** A reserved and requested loan without a score, as the loan service leaves it when the bureau fails. */
    requestLoan: async (nationalId: string, creditScore?: number, requestedBy: RequestedBy = anonymous) => {
      const loanId = randomUUID()
      await reserve(loanId, nationalId)
      const person = { name: 'Ada Lovelace', address: 'London', nationalId, amount: 1_000 }
      const score = creditScore && { creditScore: { score: creditScore, nationalId, checkedAt: at() } }
      await send({ type: 'RequestLoan', data: { loanId, ...person, requestedBy, at: at(), ...score } })
      return loanId
    },
    loanEvents: (loanId: string) => typesOf(`loan-${loanId}`),
    applicantEvents: (nationalId: string) => typesOf(`applicant-${keyedId(applicantKey, nationalId)}`),
    /** What the ledger says, the oldest first. */
    ledger: async () => {
      const { rows } = await database.client.query<{
        kind: string
        done: boolean
        parked: boolean
        loan: string | null
      }>(
        `select kind, subject ->> 'loanId' as loan, done_at is not null as done, parked_at is not null as parked
         from headwater.jobs order by entered_at, kind`,
      )
      return rows
    },
    /** What is being tried or waits to be tried. */
    queue: async () => {
      const { rows } = await database.client.query<{
        kind: string
        attempts: number
        tried: boolean
        running: boolean
      }>(
        `select task_identifier as kind, attempts, attempts > 0 as tried, locked_at is not null as running
         from graphile_worker.jobs where task_identifier <> 'abandon application' order by id`,
      )
      return rows
    },
    /** As if so much time had passed for all that waits. */
    pass: async (minutes: number) => {
      await database.client.query(
        `select graphile_worker.reschedule_jobs(array[id], run_at => run_at - make_interval(mins => $1))
         from graphile_worker.jobs`,
        [minutes],
      )
    },
    /** Asks a jobs process as somebody with a role. */
    ask: async (url: string, { method = 'GET', body, role = 'operator', headers = {} }: Asked = {}) => {
      const token = role && (await issuer.tokenOf({ sub: `${role}-1`, roles: [role] }))
      const response = await fetch(url, {
        method,
        headers: {
          ...(token && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const answer: unknown = text === '' ? undefined : JSON.parse(text)
      return { status: response.status, body: answer as Record<string, never>, headers: response.headers }
    },
    startJobs: (more: Record<string, string> = {}, expected: object = isReady) =>
      startProcess(
        {
          WEBHOOK_KEY: 'a key of the tests, long enough for webhooks',
          WEBHOOK_ALLOW_PRIVATE: '1',
          ...issuer.env,
          EVENTSTORE_URL: node.connectionString,
          DATABASE_URL: database.url,
          CREDIT_BUREAU_URL: bureau.url,
          APPLICANT_KEY: applicantKey,
          ...more,
        },
        expected,
        atEnd,
      ),
  }
}
