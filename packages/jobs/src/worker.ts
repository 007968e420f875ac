// Runs the jobs of some kinds when they are due, for as long as the process lives.
import { EventEmitter } from 'node:events'
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import { within } from '@headwater/eventstore/within'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import {
  Logger as LibraryLogger,
  runTaskList,
  type TaskList,
  type WorkerEvents,
  type WorkerPool,
} from 'graphile-worker'
import type { Pool, PoolClient } from 'pg'
import type { Database } from './database.ts'
import { startHeartbeat } from './heartbeat.ts'

const retryDelayMsMaxDefault = 30_000
const restartBackoff: Backoff = { delayMsMin: 100, delayMsMax: 5_000 }
/** For jobs in hand to end before others take them up. */
const leaveMsMax = 5_000
/**
 * Of what became of jobs the library waits for nobody to write it down, and when that fails its rejection ends the process.
 * Only what is written in batches, here of one turn, has somebody to tell.
 */
const toldWhenNotWritten = { completeJobBatchDelay: 0, failJobBatchDelay: 0 }

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
  /** A job that failed is tried again within this time. */
  readonly retryDelayMsMax?: number
  readonly logger: Logger
}

const libraryLogger = (logger: Logger) =>
  new LibraryLogger(() => (level, message) => {
    // The library reports each try; a try that fails is told by ours.
    logger.debug({ level }, message)
  })

type Connected = (error: Error | undefined, client: PoolClient | undefined, release: PoolClient['release']) => void

/**
 * A pool that takes its connections back more than once. The library gives the one it listens on back twice when it ends
 * while that is lost, and the pool's complaint about it would be a rejection that nobody handles.
 */
const patient = (pool: Pool): Pool => {
  const connect = (listener?: Connected) => {
    if (!listener) return pool.connect()
    return pool.connect((error, client, release) => {
      // A pool that has ended gives nothing to give back.
      if (!client) return listener(error, client, release)
      let released = false
      listener(error, client, (destroy) => {
        if (!released) release(destroy)
        released = true
      })
    })
  }
  return new Proxy(pool, { get: (target, name) => (name === 'connect' ? connect : Reflect.get(target, name)) })
}

/**
 * Finishes the jobs in hand, and takes no more. Not for ever: the library's shutdown hangs when it could not write down what
 * became of several jobs. Whoever takes them up again waits until nothing was heard of their worker for a while.
 */
const leave = async (workers: WorkerPool): Promise<void> => {
  workers.promise.catch(() => undefined) // what it was left for is known
  const left = Promise.resolve(workers.gracefulShutdown()).catch(() => undefined)
  await within(leaveMsMax, left, () => new Error('It does not end.')).catch(() => undefined)
}

export const startWorker = ({
  database,
  tasks,
  jobsAtOnceMax,
  pollEveryMs,
  retryDelayMsMax = retryDelayMsMaxDefault,
  logger,
}: WorkerOptions): Worker => {
  const { pool, prepare } = database
  const ending = new AbortController()
  let running: WorkerPool | undefined
  let trouble: string | undefined = 'The worker is starting.'
  /** In a row, without a look for jobs that was answered in between. */
  let failures = 0

  const workUntilTrouble = async () => {
    await prepare()
    const options = { concurrency: jobsAtOnceMax, pollInterval: pollEveryMs, noHandleSignals: true }
    const preset = { worker: toldWhenNotWritten }
    const events: WorkerEvents = new EventEmitter()
    const started = runTaskList({ ...options, preset, events, logger: libraryLogger(logger) }, tasks, patient(pool))
    running = started
    const lost = Promise.withResolvers<never>()
    // What it asked for may have been handed out in an answer that never came, and is taken away only from who is gone.
    events.once('worker:getJob:error', ({ error }) => lost.reject(error))
    events.once('pool:fatalError', ({ error }) => lost.reject(error))
    const answered = () => {
      failures = 0
    }
    events.once('worker:getJob:empty', answered)
    events.once('job:start', answered)
    const heartbeat = startHeartbeat({ pool, workerId: started.id, kinds: Object.keys(tasks), retryDelayMsMax, logger })
    trouble = undefined
    try {
      await Promise.race([started.promise, lost.promise])
    } catch (error) {
      trouble = String(error)
      await leave(started)
      throw error
    } finally {
      heartbeat.stop()
      running = undefined
    }
  }

  const work = async () => {
    while (!ending.signal.aborted) {
      await workUntilTrouble().catch((error: unknown) => {
        trouble = String(error)
        logger.warn({ err: error, failures: ++failures }, 'no jobs are run; starting the worker again')
      })
      await waitAfter(failures, restartBackoff, ending.signal)
    }
  }
  const ended = work()

  return {
    trouble: () => trouble,
    stop: async () => {
      ending.abort()
      await (running ? leave(running) : ended)
    },
  }
}
