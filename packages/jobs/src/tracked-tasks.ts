// What becomes of the jobs of the ledger when they are run: done, tried again, or parked for an operator.
import { StreamDeleted } from '@headwater/eventstore/client/client'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { TaskList } from 'graphile-worker'
import type { Job, Ledger } from './ledger/ledger.ts'
import { passingCode } from './outages.ts'
import type { Task, Tasks } from './task.ts'

/** @param transient codes of rejections by tasks that pass by themselves as well */
export const trackedTasks = (
  tasks: Tasks,
  ledger: Ledger,
  logger: Logger,
  transient: readonly string[] = [],
): TaskList => {
  const tracked =
    (kind: string, { run, triesMax }: Task<never>) =>
    async (payload: unknown, { job: { attempts } }: { readonly job: { readonly attempts: number } }) => {
      const job = payload as Job // as the ledger wrote it, with what the reaction of this kind asked for
      try {
        let laterMs: number | undefined
        await run(job as never, {
          add: (jobs) => ledger.add(job, jobs),
          later: (ms) => {
            laterMs = ms
          },
        })
        if (laterMs !== undefined) return ledger.later(job.id, laterMs)
      } catch (error) {
        if (error instanceof StreamDeleted) return ledger.done(job.id) // nothing follows any more
        const tryAgain = passingCode(error, transient) !== undefined || attempts < triesMax
        logger.warn({ kind, jobId: job.id, attempts, err: error }, tryAgain ? 'a job will be tried again' : 'parked')
        if (tryAgain) throw error
        return ledger.park(job.id, String(error))
      }
      await ledger.done(job.id)
    }
  return Object.fromEntries(Object.entries(tasks).map(([kind, task]) => [kind, tracked(kind, task)]))
}
