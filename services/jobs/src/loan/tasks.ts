// What the jobs of loans and applicants do.
import { Rejection } from '@headwater/deciders/decider'
import { isOpenLoanOf } from '@headwater/deciders/loan/loan-state'
import { isOutcome, partnerNews, partnerOf } from '@headwater/deciders/loan/partner-news'
import type { LoanJob } from '@headwater/deciders/loan/reactions'
import { applicantStream, loanStream } from '@headwater/deciders/loan/streams'
import { type EventStore, StreamDeleted } from '@headwater/eventstore/client/client'
import { createCodec } from '@headwater/eventstore/codec'
import { createCommandHandler, smallCacheWeightMax } from '@headwater/eventstore/commands/handle-command'
import { readState } from '@headwater/eventstore/commands/read-known'
import { idOf, streamName } from '@headwater/eventstore/stream-name'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { Job, Ledger } from '@headwater/jobs/ledger/ledger'
import { originOf, type Task, triesMaxDefault } from '@headwater/jobs/task'
import type { CreditBureau } from '@headwater/third-parties/loan/credit-bureau'
import type { Deliveries } from './webhooks/deliveries.ts'

const loanCodec = createCodec(loanStream)

/** Many times what the rules of a loan allow. */
const loanEventsMax = 100

/** The score came too late: it is known, or the applicant withdrew or the loan was deleted meanwhile. */
const overtaken = ['credit_already_checked', 'loan_already_decided', 'loan_not_found']

type Subject = Pick<LoanJob, 'loanId'>
type AboutLoan = Job & Subject
type LoanTasks = Readonly<Record<LoanJob['kind'], Task<Subject>>>

export type LoanTasksOptions = {
  readonly store: EventStore
  readonly bureau: CreditBureau
  readonly applicantIdOf: (nationalId: string) => string
  readonly deliveries: Pick<Deliveries, 'enter'>
  readonly ledger: Pick<Ledger, 'streamsOf'>
  readonly logger: Logger
}

export const createLoanTasks = (options: LoanTasksOptions): LoanTasks => {
  const { store, bureau, applicantIdOf, deliveries, ledger, logger } = options
  const common = { store, cacheWeightMax: smallCacheWeightMax, logger }
  const loans = createCommandHandler({ ...common, stream: loanStream })
  const applicants = createCommandHandler({
    ...common,
    stream: applicantStream,
  })
  const now = () => new Date().toISOString()
  const loanState = (loanId: string) => readState(store, loanStream, loanId)

  const release = async (job: AboutLoan, applicantId: string) => {
    const command = { type: 'ReleaseApplication', data: { loanId: job.loanId, at: now() } } as const
    await applicants.handle({ ...originOf(job), id: applicantId, command })
  }

  /** Who may hold a reservation for the loan. */
  const applicantsOf = async (loanId: string): Promise<readonly string[]> => {
    try {
      const [stored] = await store.readStream(streamName('loan', loanId), 0n, 1)
      const first = stored && loanCodec.decode(stored)
      // An application that was abandoned before its request was released by the job that abandoned it.
      return first?.type === 'LoanRequested' ? [applicantIdOf(first.data.nationalId)] : []
    } catch (error) {
      if (!(error instanceof StreamDeleted)) throw error
      // The national id is gone with the events. Each reservation left a job that names its stream.
      return (await ledger.streamsOf('abandon application', { loanId })).map(idOf)
    }
  }

  const run = (run: Task<Subject>['run']): Task<Subject> => ({ run, triesMax: triesMaxDefault })

  return {
    'check credit': run(async (job) => {
      const { loanId } = job
      const state = await loanState(loanId)
      if (state.status !== 'checking') return
      const origin = originOf(job)
      const { nationalId } = state
      const creditScore = await bureau.scoreOf({ loanId, nationalId, traceparent: origin.traceparent })
      try {
        const command = { type: 'RecordCreditScore', data: { loanId, creditScore } } as const
        await loans.handle({ ...origin, id: loanId, command })
      } catch (error) {
        if (!(error instanceof Rejection && overtaken.includes(error.code))) throw error
      }
    }),

    'release application': run(async (job) => {
      for (const applicantId of await applicantsOf(job.loanId)) await release(job, applicantId)
    }),

    'tell partner': run(async ({ loanId, eventId }) => {
      const events = await store.readStream(streamName('loan', loanId), 0n, loanEventsMax)
      const [first, ...later] = loanCodec.decodeAll(events)
      const partner = first?.type === 'LoanRequested' ? partnerOf(first.data.requestedBy) : undefined
      if (first?.type !== 'LoanRequested' || partner === undefined) return
      const outcome = later.find(({ id }) => id === eventId)
      if (!outcome || !isOutcome(outcome)) throw new Error(`The loan has no outcome ${eventId}.`)
      await deliveries.enter(partner, partnerNews(outcome, first.data))
    }),

    'abandon application': run(async (job) => {
      const { loanId } = job
      // From here on a request that comes late is refused. One that came already leaves nothing to abandon.
      const command = { type: 'AbandonLoan', data: { loanId, at: now() } } as const
      const applicantId = idOf(job.stream)
      // After a key was used for two people, one has a reservation for the other's loan.
      const isApplicant = (nationalId: string) => applicantIdOf(nationalId) === applicantId
      try {
        await loans.handle({ ...originOf(job), id: loanId, command })
        if (isOpenLoanOf(await loanState(loanId), isApplicant)) return
      } catch (error) {
        if (!(error instanceof StreamDeleted)) throw error
      }
      await release(job, applicantId)
    }),
  }
}
