// Runs the jobs of some kinds when they are due, for as long as the process lives.
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import type { Logger } from '@headwater/http-kit/telemetry'
import { Logger as LibraryLogger, runTaskList, type TaskList, type WorkerPool } from 'graphile-worker'
import type { Database } from './database.ts'
import { startHeartbeat } from './heartbeat.ts'

const restartBackoff: Backoff = { delayMsMin: 100, delayMsMax: 5_000 }

export type Worker = {
  /** Why no jobs are run at the moment. */
  readonly trouble: () => string | undefined
  /** Finishes the jobs in hand. */
  readonly stop: () => Promise<void>
}

export type WorkerOptions = {
  readonly database: Database
  /** A kind of job that takes long has a worker of its own, so that it holds up no other. */
  readonly tasks: TaskList
  readonly jobsAtOnceMax: number
  /** Jobs that are due now are heard of at once; this is for those that become due. */
  readonly pollEveryMs: number
  readonly logger: Logger
}

const libraryLogger = (logger: Logger) =>
  new LibraryLogger(() => (level, message) => {
    // The library reports each try; a try that fails is told by ours.
    logger.debug({ level }, message)
  })

export const startWorker = ({ database, tasks, jobsAtOnceMax, pollEveryMs, logger }: WorkerOptions): Worker => {
  const { pool, prepare } = database
  const ending = new AbortController()
  let running: WorkerPool | undefined
  let trouble: string | undefined = 'The worker is starting.'

  const workUntilTrouble = async () => {
    await prepare()
    const options = { concurrency: jobsAtOnceMax, pollInterval: pollEveryMs, noHandleSignals: true }
    running = runTaskList({ ...options, logger: libraryLogger(logger) }, tasks, pool)
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
