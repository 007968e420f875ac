// What a task is: how the jobs of one kind are done.
import type { RequestedJob } from '@headwater/deciders/reaction'
import { nextTraceparent, traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import type { Job } from './ledger/ledger.ts'

export type TaskTools = {
  /** Enters jobs that follow from this one, each once however often it is run. Their delays begin now. */
  readonly add: (jobs: readonly RequestedJob[]) => Promise<void>
  /** When the task ends, its job is not done but is run again after a while. No failure, and no try. */
  readonly later: (ms: number) => void
}

/** Looks at how things are when it runs, and may run again: its commands have the job's id. */
export type Task<Subject> = {
  readonly run: (job: Job & Subject, tools: TaskTools) => Promise<void>
  /** Of a job that fails for another reason than an outage. */
  readonly triesMax: number
}

export const triesMaxDefault = 10

/** Tasks by the kind of job, as whoever runs them has them: what a job is about the reaction of its kind has said. */
export type Tasks = Readonly<Record<string, Task<never>>>

/** What a command says about itself that a job sends. */
export const originOf = ({ id, traceparent: caused }: Job) => {
  const traceparent = nextTraceparent(caused ?? undefined)
  return { commandId: id, requestHash: id, actor: 'jobs', traceparent, correlationId: traceIdOf(traceparent) }
}
