// Limits that all replicas count together in Postgres. While that fails each replica counts alone: no request waits for it, or fails.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import { within } from '@headwater/eventstore/within'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import { migrate } from './migrate.ts'

const answerTimeoutMsDefault = 500
/** A key in heavy use costs Postgres a query at most this often; the first use after a pause does not wait. */
const queriesOfKeyApartMs = 10
const retryBackoff: Backoff = { delayMsMin: 500, delayMsMax: 10_000 }

export type Counted = {
  readonly refused: boolean
  readonly remaining: number
  /** Until all may be used again. */
  readonly msLeft: number
}

export type Limit = {
  /** Counts one use before it is looked at, so that none of many at once is free. */
  readonly count: (key: string) => Promise<Counted>
  readonly giveBack: (key: string) => Promise<void>
  readonly forget: (key: string) => Promise<void>
}

export type LimitOptions = {
  /** Sets the keys of this limit apart from those of others in the table. */
  readonly keyPrefix: string
  readonly points: number
  readonly windowSeconds: number
  /** Refuses a used-up key without asking Postgres until its window ends, even if uses are given back. */
  readonly remembersRefusals?: boolean
}

type Batch = { uses: number; readonly counted: Promise<RateLimiterRes> }

export type SharedLimits = {
  readonly limit: (options: LimitOptions) => Limit
  /** Trouble while this replica counts alone. */
  readonly status: () => { readonly trouble: string | undefined }
  readonly close: () => Promise<void>
}

type Gauge = (name: string, help: string, read: () => readonly { readonly value: number }[]) => void

export type SharedLimitsOptions = {
  readonly pool: Pool
  /** In the schema `headwater`, with the columns that the library needs. */
  readonly table: 'partner_requests' | 'sign_in_tries'
  readonly gauge: Gauge
  readonly logger: Logger
  readonly answerTimeoutMs?: number | undefined
}

export const openSharedLimits = ({
  pool,
  table,
  gauge,
  logger,
  answerTimeoutMs = answerTimeoutMsDefault,
}: SharedLimitsOptions): SharedLimits => {
  const closing = new AbortController()
  let isShared = false
  let isSaid = false

  const say = (error: unknown) => {
    if (!isSaid) logger.warn({ err: error, table }, 'limits are counted by this replica alone until Postgres answers')
    isSaid = true
  }

  /** One try at a time, whatever the number of requests: they are counted here meanwhile. */
  const share = async (failuresBefore: number): Promise<void> => {
    for (let failures = failuresBefore; ; failures++) {
      if (failures > 0) await waitAfter(failures, retryBackoff, closing.signal)
      if (closing.signal.aborted) return
      try {
        await migrate(pool)
        await pool.query(`select from headwater.${table} limit 0`)
        break
      } catch (error) {
        say(error)
      }
    }
    isShared = true
    if (isSaid) logger.info({ table }, 'limits are counted over all replicas again')
    isSaid = false
  }
  let sharing = share(0)

  const failed = (error: unknown) => {
    if (!isShared) return
    isShared = false
    say(error)
    sharing = share(1)
  }

  gauge('limits_counted_alone', '1 while limits are counted by this replica alone, because Postgres fails.', () => [
    { value: isShared ? 0 : 1 },
  ])

  return {
    limit: ({ keyPrefix, points, windowSeconds, remembersRefusals }) => {
      const quota = { keyPrefix, points, duration: windowSeconds }
      const alone = new RateLimiterMemory(quota)
      const together = new RateLimiterPostgres({
        ...quota,
        storeClient: pool,
        schemaName: 'headwater',
        tableName: table,
        tableCreated: true,
        ...(remembersRefusals && { inMemoryBlockOnConsumed: points }),
      })
      type Limiter = typeof alone | typeof together
      const run = async <T>(work: (limiter: Limiter) => Promise<T>): Promise<T> => {
        if (!isShared) return work(alone)
        try {
          return await within(answerTimeoutMs, work(together), () => new Error('Postgres did not answer in time.'))
        } catch (error) {
          if (error instanceof RateLimiterRes) throw error
          failed(error)
          return work(alone)
        }
      }
      /** The number of uses including these; zero points when the key was used up and not counted. */
      const consume = async (key: string, uses: number) => {
        try {
          return await run((limiter) => limiter.consume(key, uses))
        } catch (refused) {
          if (refused instanceof RateLimiterRes) return refused
          throw refused
        }
      }
      /** Uses of a key that come until its turn are counted together, in one query. */
      const batches = new Map<string, Batch>()
      const turns = new Map<string, Promise<unknown>>()
      const batchOf = (key: string): Batch => {
        const open = batches.get(key)
        if (open) return open
        const counted = Promise.resolve(turns.get(key)).then(() => {
          batches.delete(key)
          const counting = consume(key, batch.uses)
          const turn = Promise.allSettled([counting, sleep(queriesOfKeyApartMs)]).then(() => {
            if (turns.get(key) === turn) turns.delete(key)
          })
          turns.set(key, turn)
          return counting
        })
        const batch: Batch = { uses: 0, counted }
        batches.set(key, batch)
        return batch
      }
      return {
        count: async (key) => {
          const batch = batchOf(key)
          const place = ++batch.uses
          const { consumedPoints, msBeforeNext: msLeft } = await batch.counted
          const used = consumedPoints === 0 ? Number.POSITIVE_INFINITY : consumedPoints - batch.uses + place
          return { refused: used > points, remaining: Math.max(points - used, 0), msLeft }
        },
        giveBack: async (key) => {
          await run((limiter) => limiter.reward(key))
        },
        forget: async (key) => {
          await run((limiter) => limiter.delete(key))
        },
      }
    },
    status: () => ({
      trouble: isShared ? undefined : 'Limits are counted by this replica alone: Postgres does not answer.',
    }),
    close: async () => {
      closing.abort()
      await sharing
    },
  }
}
