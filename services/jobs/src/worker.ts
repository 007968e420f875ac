// Runs the jobs that are due: what is in trouble is tried again, what fails for good is parked for an operator.
import { Rejection } from '@headwater/deciders/decider'
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import type { Logger } from '@headwater/http-kit/telemetry'
import { Logger as LibraryLogger, runTaskList, type WorkerPool } from 'graphile-worker'
import type { Database } from './database.ts'
import { startHeartbeat } from './heartbeat.ts'
import type { Job, Ledger } from './ledger.ts'
import type { Task, Tasks } from './tasks.ts'

const jobsAtOnceMax = 8
/** Jobs that are due now are heard of at once; this is for those that become due. */
const pollEveryMs = 500
/** Of a job that fails for another reason than an outage. */
const triesMax = 10
const restartBackoff: Backoff = { delayMsMin: 100, delayMsMax: 5_000 }

/** These pass by themselves, however long it takes. */
const outages = ['credit_bureau_unavailable', 'event_store_unavailable', 'overloaded', 'conflict']
const isOutage = (error: unknown): boolean => error instanceof Rejection && outages.includes(error.code)

export type Worker = {
  /** Why no jobs are run at the moment. */
  readonly trouble: () => string | undefined
  /** Finishes the jobs in hand. */
  readonly stop: () => Promise<void>
}

export type WorkerOptions = {
  readonly database: Database
  readonly ledger: Ledger
  readonly tasks: Tasks
  readonly logger: Logger
}

const libraryLogger = (logger: Logger) =>
  new LibraryLogger(() => (level, message) => {
    // The library reports each try; a try that fails is told by ours.
    logger.debug({ level }, message)
  })

export const startWorker = ({ database: { pool, prepare }, ledger, tasks, logger }: WorkerOptions): Worker => {
  const ending = new AbortController()
  let running: WorkerPool | undefined
  let trouble: string | undefined = 'The worker is starting.'

  const tracked =
    (kind: string, task: Task) =>
    async (payload: unknown, { job: { attempts } }: { readonly job: { readonly attempts: number } }) => {
      const job = payload as Job // as the ledger wrote it
      try {
        await task(job)
      } catch (error) {
        const tryAgain = isOutage(error) || attempts < triesMax
        logger.warn({ kind, jobId: job.id, attempts, err: error }, tryAgain ? 'a job will be tried again' : 'parked')
        if (tryAgain) throw error
        return ledger.park(job.id, String(error))
      }
      await ledger.done(job.id)
    }
  const taskList = Object.fromEntries(Object.entries(tasks).map(([kind, task]) => [kind, tracked(kind, task)]))

  const workUntilTrouble = async () => {
    await prepare()
    const options = { concurrency: jobsAtOnceMax, pollInterval: pollEveryMs, noHandleSignals: true }
    running = runTaskList({ ...options, logger: libraryLogger(logger) }, taskList, pool)
    const heartbeat = startHeartbeat(pool, running.id, logger)
    trouble = undefined
    try {
      await running.promise
    } finally {
      heartbeat.stop()
      running = undefined
    }
  }

  const work = async () => {
    for (let failures = 1; !ending.signal.aborted; failures++) {
      await workUntilTrouble().catch((error: unknown) => {
        trouble = String(error)
        logger.warn({ err: error }, 'no jobs are run; starting the worker again')
      })
      await waitAfter(failures, restartBackoff, ending.signal)
    }
  }
  const ended = work()

  return {
    trouble: () => trouble,
    stop: async () => {
      ending.abort()
      await running?.gracefulShutdown()
      await ended
    },
  }
}
