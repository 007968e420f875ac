// Records one round: concurrent clients and subscribers, with the node killed in between.
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, START, StreamDeletedError, streamNameFilter } from '@eventstore/db-client'
import { vi } from 'vitest'
import { chanceFrom } from './chance.ts'
import {
  type Event,
  type History,
  type Live,
  metastreamOf,
  type Operation,
  type Outcome,
  type Subscription,
} from './history.ts'
import { eventOf, perform, readLog } from './perform.ts'
import { type Ask, createAsks } from './requests.ts'

const workersDefault = 8
const streamsOfRound = 4
const lastSeenMsMax = 20_000

/** A running store; `kill` is undefined when it cannot be killed. */
export type Served = { readonly connectionString: string; readonly kill: (() => Promise<void>) | undefined }

export type Round = {
  readonly seed: number
  /** Every call serves the same folder. */
  readonly serve: () => Promise<Served>
  /** Number of kills. */
  readonly kills: number
  /** Number of operations of all clients between two kills. */
  readonly operations: number
  /** Number of concurrent clients; with one, a seed repeats the history. */
  readonly workers?: number
}

type Subscriber = Omit<Subscription, 'seen' | 'lives'> & {
  seen: Event[]
  lives: { -readonly [Key in keyof Live]: Live[Key] }[]
  isFiltered: boolean
  isOver: boolean
}

const subscriber = (name: string, stream: string | undefined, isFiltered = false): Subscriber => ({
  name,
  stream,
  seen: [],
  lives: [],
  isFiltered,
  isOver: false,
})

export const record = async (round: Round): Promise<History> => {
  const { seed, serve, kills, operations: operationsOfLife, workers = workersDefault } = round
  const chance = chanceFrom(seed)
  const prefix = `history${randomUUID().replaceAll('-', '')}-`
  const streams = Array.from({ length: streamsOfRound }, (_, number) => `${prefix}${number}`)
  const isWanted = ({ stream }: Event) => stream.startsWith(prefix) || stream.startsWith(metastreamOf(prefix))
  const asks = createAsks(streams, chance)
  const operations: Operation[] = []
  const subscribers = [
    subscriber('$all', undefined),
    subscriber('$all, filtered', undefined, true),
    ...streams.map((stream) => subscriber(stream, stream)),
  ]
  let clock = 0
  let log: Event[] = []

  const follow = (client: EventStoreDBClient, following: Subscriber): void => {
    const { stream, seen, lives, isFiltered } = following
    const before = lives.at(-1)
    if (before) before.seenUntil = seen.length
    const life = {
      since: Number.POSITIVE_INFINITY,
      until: Number.POSITIVE_INFINITY,
      seenUntil: Number.POSITIVE_INFINITY,
    }
    lives.push(life)
    const last = seen.at(-1)
    const fromPosition = last ? { commit: last.position, prepare: last.position } : START
    const filter = { filter: streamNameFilter({ prefixes: [prefix, metastreamOf(prefix)] }) }
    const subscription =
      stream === undefined
        ? client.subscribeToAll({ fromPosition, ...(isFiltered ? filter : {}) })
        : client.subscribeToStream(stream, { fromRevision: last?.revision ?? START })
    subscription.on('caughtUp', () => {
      life.since = Math.min(life.since, ++clock)
    })
    subscription.on('data', ({ event }) => {
      const found = event && eventOf(event)
      if (found && isWanted(found)) seen.push(found)
    })
    subscription.on('error', (error) => {
      // A tombstone is the end; any other end is a kill, and the subscription continues with the next process.
      if (error instanceof StreamDeletedError) following.isOver = true
    })
  }

  const live = async (isLast: boolean): Promise<void> => {
    const { connectionString, kill } = await serve()
    const clients = [0, 1, 2].map(() => EventStoreDBClient.connectionString(connectionString))
    const clientOf = (number: number) => clients[number % clients.length] as EventStoreDBClient
    for (const each of subscribers) if (!each.isOver) follow(clientOf(0), each)
    const { promise: killed, resolve: isKilled } = Promise.withResolvers<Outcome>()
    let isDead = false

    const ask = async (asked: Ask, worker: number): Promise<void> => {
      const began = ++clock
      const asking = perform(clientOf(worker), asked, { isClassic: worker % 2 === 0, isWanted })
      const outcome = await Promise.race([asking, killed])
      const ended = outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : ++clock
      const operation = { ...asked, outcome, began, ended }
      operations.push(operation)
      asks.learn(operation)
    }

    let asked = 0
    const work = async (worker: number): Promise<void> => {
      while (!isDead && asked < operationsOfLife) {
        if (++asked === operationsOfLife && !isLast && kill) {
          isDead = true
          for (const { lives } of subscribers) for (const life of lives.slice(-1)) life.until = clock
          await kill()
          isKilled({ kind: 'unknown', reason: 'The node was killed.' })
          return
        }
        await ask(asks.next(), worker)
      }
    }
    await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)))

    if (isLast) {
      // One last event for all subscribers, unless the stream is tombstoned.
      for (const stream of streams) await ask(asks.append(stream, 'any'), 0)
      log = await readLog(clientOf(1), isWanted)
      const isBehind = ({ stream, seen, isOver }: Subscriber) => {
        const last = log.findLast((event) => stream === undefined || event.stream === stream)
        return !isOver && seen.at(-1)?.position !== last?.position
      }
      const areAllThere = () => !subscribers.some(isBehind)
      // The checker reports missing events.
      await vi.waitUntil(areAllThere, { timeout: lastSeenMsMax }).catch(() => undefined)
    }
    for (const client of clients) client.dispose().catch(() => undefined)
  }

  for (let life = 0; life <= kills; life++) {
    if (life > 0) subscribers.push(subscriber(`$all, from the start in life ${life}`, undefined))
    await live(life === kills)
  }
  return { operations, subscriptions: subscribers, log }
}
