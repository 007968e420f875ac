// Retries work for ever during an outage of a store; throws every other error.
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import { StoreUnavailable } from '@headwater/eventstore/client/client'
import type { Logger } from 'pino'
import { Halt, RebuildNeeded } from '../model/halt.ts'
import type { Sink } from '../model/sink.ts'

const outageBackoff: Backoff = { delayMsMin: 50, delayMsMax: 5_000 }

export type Persistence = {
  /** @throws every error that is no outage and, once the signal has aborted, every error */
  readonly persistently: <T>(work: () => Promise<T>) => Promise<T>
  /** The error of the outage that is being retried. */
  readonly outage: () => string | undefined
  readonly rebuildNeeded: (why: string) => RebuildNeeded
}

export const createPersistence = (
  name: string,
  { blame, rebuildAdvice }: Pick<Sink, 'blame' | 'rebuildAdvice'>,
  signal: AbortSignal,
  logger: Logger,
): Persistence => {
  let outage: string | undefined
  const rebuildNeeded = (why: string) => new RebuildNeeded(`${why} ${rebuildAdvice}`)
  return {
    outage: () => outage,
    rebuildNeeded,
    persistently: async (work) => {
      for (let failures = 1; ; failures++) {
        try {
          const result = await work()
          outage = undefined
          return result
        } catch (error) {
          if (error instanceof Halt || signal.aborted) throw error
          const blamed = error instanceof StoreUnavailable ? 'unavailable' : blame(error)
          if (blamed === 'broken') throw rebuildNeeded(`${error}.`)
          if (blamed !== 'unavailable') throw error
          outage = String(error)
          logger.warn({ projection: name, err: error, failures }, 'a store is unavailable; trying again')
          await waitAfter(failures, outageBackoff, signal)
        }
      }
    },
  }
}
