// What the tests of the tool share: a store, a Postgres database, a folder of the edge, all that follows, and the tool itself.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { contexts } from '@headwater/deciders/contexts'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import type { Position } from '@headwater/eventstore/position'
import { openDatabase } from '@headwater/jobs/database'
import { openLedger } from '@headwater/jobs/ledger/ledger'
import { reactionsOf } from '@headwater/jobs/reactions'
import { jobsOf, openConsequencesSink } from '@headwater/jobs/sink'
import { trackedTasks } from '@headwater/jobs/tracked-tasks'
import { startWorker } from '@headwater/jobs/worker'
import { openPool } from '@headwater/postgres/pool'
import type { Projection } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { startProjection } from '@headwater/projections/run/projection'
import type { RunningProjection } from '@headwater/projections/run/running-projection'
import { socketFile } from '@headwater/projections/sqlite/file'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { audit } from '@headwater/read-models/audit/audit'
import { consents } from '@headwater/read-models/consent/consents'
import { loans } from '@headwater/read-models/loan/loans'
import { underwriting } from '@headwater/read-models/loan/underwriting'
import { testDatabase } from '@headwater/test-kit/database'
import { until } from '@headwater/test-kit/until'
import pino from 'pino'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import type { Context } from '../src/command.ts'
import { withParts } from '../src/parts.ts'
import { run } from '../src/run.ts'
import { config } from '../src/settings.ts'

const reactions = reactionsOf(contexts)

const requestedAt = '2026-11-21T09:00:00.000Z'

export const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

/** As the tool calls whoever runs these tests. */
export const me = `os:${os.userInfo().username}@${os.hostname()}`

export const requested = (loanId: string): LoanEvent => ({
  type: 'LoanRequested',
  data: {
    loanId,
    name: 'Ada Lovelace',
    address: '12 St James Square',
    nationalId: '555555AA',
    amount: 500,
    requestedBy: { kind: 'anonymous', id: 'anonymous' },
    requestedAt,
  },
})
export const withdrawn = (loanId: string): LoanEvent => ({
  type: 'LoanWithdrawn',
  data: { loanId, reason: 'I found a cheaper one.', withdrawnAt: requestedAt },
})

/** A projection that cannot take in withdrawals until the bug is mended. */
export const withBug = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Tables>,
  bug: { readonly isMended: boolean },
): Projection<Event, Tables> => ({
  ...projection,
  project: (event, rows) => {
    if (event.type === 'LoanWithdrawn' && !bug.isMended) throw new Error('a bug in the projection')
    projection.project(event, rows)
  },
})

export type Used = { readonly code: number; readonly out: string; readonly err: string }

/** The tool, as if in a process of its own. */
export const use = async (
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  { signal = new AbortController().signal, isTerminal = false, heard = (_text: string) => {} } = {},
): Promise<Used> => {
  const said = { out: '', err: '' }
  const into = (stream: keyof typeof said) => (text: string) => {
    said[stream] += text
    heard(text)
  }
  const code = await run(args, { env, out: into('out'), err: into('err'), isTerminal, signal })
  return { code, ...said }
}

/** The tool in a process of its own. */
export const startProcess = (args: readonly string[], env: NodeJS.ProcessEnv, cwd = process.cwd()) => {
  const main = path.join(import.meta.dirname, '../src/main.ts')
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, said: () => ({ out, err }), ended }
}

export const jsonOf = (used: Used): Readonly<Record<string, unknown>> => {
  expect(used.err).toBe('')
  return JSON.parse(used.out)
}

type Ending = (end: () => void | Promise<void>) => void

/** Ended by the test, or with it. */
const endedBy =
  (ending: Ending) =>
  <Running extends { readonly stop: () => Promise<void> }>(started: Running): Running => {
    let stopped: Promise<void> | undefined
    const stop = () => {
      stopped ??= started.stop()
      return stopped
    }
    ending(stop)
    return { ...started, stop }
  }

/** The streams of the days from then until now: a test may begin before midnight and end after it. */
const auditStreamsSince = (began: Date): readonly string[] => [
  ...new Set([began, new Date()].map((moment) => `audit-${moment.toISOString().slice(0, 10)}`)),
]

/** @param empty where nothing ran before */
/** @param ending takes what ends the parts; the test does otherwise */
export const startWorld = async ({
  empty = false,
  ending = onTestFinished,
}: {
  readonly empty?: boolean
  readonly ending?: Ending
} = {}) => {
  const running = endedBy(ending)
  const began = new Date()
  const node = await startEventStore({ port: 0, memory: true })
  const store = connectEventStore({ url: node.connectionString, logger })
  const database = await testDatabase({ empty })
  const pool = openPool(database.url, 4, logger)
  const directory = mkdtempSync(path.join(os.tmpdir(), 'operator-tool-'))
  const env = { EVENTSTORE_URL: node.connectionString, DATABASE_URL: database.url, EDGE_DIRECTORY: directory }
  ending(async () => {
    await Promise.all([store.close(), pool.end()])
    await node.stop()
    await database.remove()
    rmSync(directory, { recursive: true })
  })

  type Followed<Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>> = Projection<Event, Tables>
  const followAtEdge = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
    projection: Followed<Event, Tables>,
  ): RunningProjection => {
    const sink = openSqliteSink({ directory, projection, logger })
    const following = running(startProjection({ store, sink, projection, logger }))
    return {
      ...following,
      whenLive: async () => {
        await following.whenLive()
        // By then others can tell that somebody writes it.
        await until('its socket is there', () => existsSync(socketFile(directory, projection)))
      },
    }
  }
  const followInPostgres = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
    projection: Followed<Event, Tables>,
  ): RunningProjection => {
    const sink = openPostgresSink({ url: database.url, projection, logger })
    return running(startProjection({ store, sink, projection, logger }))
  }
  const openJobs = () => {
    const opened = openDatabase(database.url, logger)
    ending(() => opened.pool.end())
    return opened
  }
  const follow = {
    loans: (projection = loans) => followAtEdge(projection),
    consents: () => followAtEdge(consents),
    underwriting: (projection = underwriting) => followInPostgres(projection),
    audit: () => followInPostgres(audit),
    jobs: (projection = reactions) => {
      const sink = openConsequencesSink({ ...jobsOf(reactions, []), ...openJobs(), store, logger })
      return running(startProjection({ store, sink, projection, logger }))
    },
  }

  return {
    store,
    pool,
    directory,
    env,
    follow,
    /** All that a whole Headwater has. */
    followAll: async () => {
      const all = {
        loans: follow.loans(),
        consents: follow.consents(),
        underwriting: follow.underwriting(),
        audit: follow.audit(),
        jobs: follow.jobs(),
      }
      await Promise.all(Object.values(all).map((one) => one.whenLive()))
      return all
    },
    prepareJobs: () => openJobs().prepare(),
    /** Works on jobs of one kind; what fails once is parked. */
    startWorker: (kind: string, work: () => Promise<void>) => {
      const opened = openJobs()
      const tasks = trackedTasks({ [kind]: { run: work, triesMax: 1 } }, openLedger(opened.pool), logger)
      return running(startWorker({ database: opened, tasks, jobsAtOnceMax: 2, pollEveryMs: 500, logger }))
    },
    /** Enters a job as if a reaction had asked for it. */
    enterJob: async (kind: string, state: { parkedFor?: string; isDone?: boolean; laterBy?: string } = {}) => {
      const id = randomUUID()
      await pool.query(
        `insert into headwater.jobs (id, event_id, kind, stream, run_at, parked_at, error, done_at)
         values ($1, $2, $3, $4, now() + $5::interval, case when $6::text is null then null else now() end, $6,
           case when $7 then now() end)`,
        [id, randomUUID(), kind, `loan-${id}`, state.laterBy ?? '0 s', state.parkedFor ?? null, state.isDone ?? false],
      )
      return id
    },
    append: async (...events: readonly LoanEvent[]): Promise<Position> => {
      let last: Position | undefined
      for (const event of events) {
        const stream = `loan-${event.data.loanId}`
        const expected = (await store.readStream(stream, 0n, 1_000)).at(-1)?.revision ?? 'no_stream'
        const stored = { ...event, id: randomUUID(), metadata: { actor: 'anonymous' } }
        const appended = await store.append(stream, [stored], expected)
        if (appended.outcome !== 'appended') throw new Error(appended.outcome)
        last = appended.position
      }
      if (!last) throw new Error('Nothing was appended.')
      return last
    },
    eventOf: async (loanId: string, revision: bigint) => {
      const [event] = await store.readStream(`loan-${loanId}`, revision, 1)
      if (!event) throw new Error(`There is no revision ${revision} of ${loanId}.`)
      return event
    },
    /** What operators did, from the audit trail. */
    acts: async () => {
      const events = await Promise.all(auditStreamsSince(began).map((stream) => store.readStream(stream, 0n, 100)))
      return events.flat().map(({ data }) => {
        const { method, route, resource, actor } = data as Readonly<Record<string, unknown>>
        return { did: `${method} ${route}`, resource, by: (actor as { readonly sub: string }).sub }
      })
    },
    use: (...args: readonly string[]): Promise<Used> => use(env, args),
    /** What a command of the tool works with. */
    withContext: <T>(work: (context: Context) => Promise<T>): Promise<T> => {
      const nothing = () => undefined
      const { signal } = new AbortController()
      const surroundings = {
        isJson: true,
        out: nothing,
        note: nothing,
        progress: { say: nothing, end: nothing },
        signal,
      }
      return withParts(config.parse(env), surroundings, work)
    },
  }
}

export type World = Awaited<ReturnType<typeof startWorld>>

/**
 * One world for the tests of a file that leave each other alone. What a test starts in it ends with the test.
 * @param prepare starts what all of them need
 */
export const shareWorld = <Prepared>(prepare: (world: World) => Promise<Prepared>): (() => World & Prepared) => {
  const endings: Parameters<Ending>[0][] = []
  let ending: Ending = (end) => endings.push(end)
  let shared: (World & Prepared) | undefined
  beforeAll(async () => {
    const world = await startWorld({ ending: (end) => ending(end) })
    shared = { ...world, ...(await prepare(world)) }
    ending = onTestFinished
  })
  afterAll(async () => {
    for (const end of endings.toReversed()) await end()
  })
  return () => {
    if (!shared) throw new Error('The world has not started yet.')
    return shared
  }
}
