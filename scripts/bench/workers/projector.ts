// Projects loans into SQLite or PostgreSQL: from memory, or from an event store; and reads an event store bare.
import { setTimeout as sleep } from 'node:timers/promises'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { newConnection } from '@headwater/eventstore/client/connection'
import { comparePosition } from '@headwater/eventstore/position'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { startProjection } from '@headwater/projections/run/projection'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { listLoans, loanById, loanCursorOf, loans } from '@headwater/read-models/loan/loans'
import {
  type Desk,
  eventsALoan,
  furtherEvents,
  type History,
  loanIdOf,
  made,
  type Order,
  storeOf,
  wholeLives,
} from '../loan-history.ts'
import { serveTasks } from '../worker.ts'

const logger = createLogger({ service: 'bench', level: process.env.LOG_LEVEL ?? 'silent' })
const queriesBetweenLooks = 50
const pageLimit = 50
/** A prime, so that the loans are visited all over the place. */
const strideLoans = 7_919
const readerReadyPollMs = 10
const searchWindowEvents = 500

/** A folder for SQLite, or the address of a PostgreSQL database. */
type Target = { readonly target: string }

const sinkAt = (target: string) =>
  target.startsWith('postgres:')
    ? openPostgresSink({ url: target, projection: loans, logger })
    : openSqliteSink({ directory: target, projection: loans, logger })

/** Milliseconds from the start of the projection to its catching up. */
const project = async (store: EventStore, target: string): Promise<number> => {
  const head = await store.head()
  const startedAt = performance.now()
  const projection = startProjection({ store, sink: sinkAt(target), projection: loans, logger })
  await projection.whenLive()
  const tookMs = performance.now() - startedAt
  const { position } = projection.status()
  await projection.stop()
  if (comparePosition(position, head) < 0) throw new Error('The projection said that it had caught up, but had not.')
  return tookMs
}

const perSecond = (count: number, tookMs: number) => count / (tookMs / 1_000)

/** What this worker's read model holds. */
let built: { readonly history: History; readonly loanCount: number } = {
  history: wholeLives(0, 'adjacent'),
  loanCount: 0,
}

const tasks = {
  /** Events a second from memory into an empty read model. */
  fromMemory: async ({ target, loanCount, order }: Target & { loanCount: number; order: Order }) => {
    const history = made(wholeLives(loanCount, order))
    return perSecond(history.length, await project(storeOf(history), target))
  },

  /** Fills a read model; the events are made on the way. */
  build: async ({ target, loanCount }: Target & { loanCount: number }): Promise<void> => {
    const history = wholeLives(loanCount, 'adjacent')
    await project(storeOf(history), target)
    built = { history, loanCount }
  },

  /** Milliseconds an event, of so many further ones, on the read model that was built. */
  further: async ({ target, count, desk }: Target & { count: number; desk: Desk }) => {
    const { history, loanCount } = built
    const next = furtherEvents(history, loanCount, count, desk)
    const tookMs = await project(storeOf(made(next, history.length)), target)
    built = { history: next, loanCount: desk === 'recent' ? loanCount + count / eventsALoan : loanCount }
    return tookMs / count
  },

  /** Milliseconds a query: one loan, or that and a page of loans from there on. */
  query: async ({ target, page, durationMs }: Target & { page: boolean; durationMs: number }) => {
    const reader = openSqliteReader({ directory: target, projection: loans, logger })
    while (!reader.ready()) await sleep(readerReadyPollMs)
    const startedAt = performance.now()
    let done = 0
    while (performance.now() - startedAt < durationMs)
      for (let n = 0; n < queriesBetweenLooks; n++, done++) {
        const { value } = reader.read((db) => db.rows(loanById(loanIdOf((done * strideLoans) % built.loanCount))))
        const [loan] = value
        if (!loan) throw new Error('A loan is missing.')
        if (page)
          reader.read((db) => db.rows(listLoans({ status: 'approved', after: loanCursorOf(loan), limit: pageLimit })))
      }
    const tookMs = performance.now() - startedAt
    reader.close()
    return tookMs / done
  },

  /** Events a second that the official client delivers to nobody. */
  bareRead: async ({ url, events }: { url: string; events: number }) => {
    const client = newConnection(url)
    const startedAt = performance.now()
    const subscription = client.subscribeToAll({
      fromPosition: 'start',
      filter: {
        filterOn: 'streamName',
        prefixes: ['loan-'],
        maxSearchWindow: searchWindowEvents,
        checkpointInterval: 1,
      },
    })
    let seen = 0
    await new Promise<void>((resolve, reject) => {
      subscription.on('data', () => {
        seen++
        if (seen === events) resolve()
      })
      subscription.on('error', reject)
    })
    const tookMs = performance.now() - startedAt
    await client.dispose()
    return perSecond(events, tookMs)
  },

  /** Events a second from an event store into an empty read model. */
  follow: async ({ url, target, events }: Target & { url: string; events: number }) => {
    const store = connectEventStore({ url, logger })
    const tookMs = await project(store, target)
    await store.close()
    return perSecond(events, tookMs)
  },

  /** Appends whole lives of loans, a loan an append. */
  appendLives: async ({ url, loanCount }: { url: string; loanCount: number }): Promise<number> => {
    const store = connectEventStore({ url, logger })
    const history = wholeLives(loanCount, 'adjacent')
    let next = 0
    const appendOnes = async () => {
      while (next < loanCount) {
        const first = eventsALoan * next++
        const events = Array.from({ length: eventsALoan }, (_, n) => history.at(first + n))
        const toAppend = events.map(({ id, type, data, metadata }) => ({ id, type, data: data as object, metadata }))
        await store.append(events[0]?.stream ?? '', toAppend, 'no_stream')
      }
    }
    await Promise.all(Array.from({ length: 15 }, appendOnes))
    await store.close()
    return history.length
  },
}
export type ProjectorTasks = typeof tasks

serveTasks(tasks)
