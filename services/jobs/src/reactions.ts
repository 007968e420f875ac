// From events to jobs: the reactions beside the deciders, as a projection whose rows are jobs.
import { type ApplicantEvent, applicantEvents } from '@headwater/deciders/loan/applicant'
import { type LoanEvent, loanEvents } from '@headwater/deciders/loan/loan-events'
import { type LoanJob, react } from '@headwater/deciders/loan/reactions'
import { createCodec, type RecordedEvent } from '@headwater/eventstore/codec'
import type { Projection } from '@headwater/read-models/projection'
import { v5 as uuidV5 } from 'uuid'

const jobNamespace = '0f6a5d1c-3c0e-4b52-9f0b-7d8f5f6f2f61'

/** What is kept of a job. Flat and without personal data. */
export type JobRow = {
  /** Named by event and kind, so that both together make one job, however often the event comes. */
  readonly id: string
  readonly eventId: string
  readonly kind: LoanJob['kind']
  /** Of the event. Jobs of one stream run one after the other. */
  readonly stream: string
  readonly loanId: string
  readonly traceparent: string | null
  readonly runAtMs: number
}

const rowOf = (event: RecordedEvent<LoanEvent | ApplicantEvent>, { kind, loanId, delayMs }: LoanJob): JobRow => ({
  id: uuidV5(`${event.id}/${kind}`, jobNamespace),
  eventId: event.id,
  kind,
  stream: event.stream,
  loanId,
  traceparent: typeof event.metadata.traceparent === 'string' ? event.metadata.traceparent : null,
  runAtMs: event.recordedAt.getTime() + delayMs,
})

const rowsOf = (event: RecordedEvent<LoanEvent | ApplicantEvent>) => react(event).map((job) => rowOf(event, job))

export const reactions: Projection<LoanEvent | ApplicantEvent, { readonly jobs: JobRow }> = {
  name: 'jobs',
  version: 1,
  categories: ['loan', 'applicant'],
  codec: createCodec<LoanEvent | ApplicantEvent>({ ...loanEvents, ...applicantEvents }),
  tables: {
    jobs: {
      key: 'id',
      columns: {
        id: 'text',
        eventId: 'text',
        kind: 'text',
        stream: 'text',
        loanId: 'text',
        traceparent: 'text or null',
        runAtMs: 'integer',
      },
      indexes: [],
    },
  },
  keys: (event) => ({ jobs: rowsOf(event).map(({ id }) => id) }),
  project: (event, { jobs }) => {
    for (const row of rowsOf(event)) jobs.set(row.id, row)
  },
}
