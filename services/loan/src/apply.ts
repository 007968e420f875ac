// Applying for a loan: reserve the applicant, ask the bureau once, decide. The process may end between any two steps.
import { randomUUID } from 'node:crypto'
import { Rejection } from '@headwater/deciders/decider'
import { type ApplicantEvent, applicant, applicantEvents } from '@headwater/deciders/loan/applicant'
import { type CreditScore, type LoanCommand, loan, type requestLoanInput } from '@headwater/deciders/loan/loan'
import { type LoanEvent, loanEvents, type RequestedBy } from '@headwater/deciders/loan/loan-events'
import { type EventStore, StoreUnavailable } from '@headwater/eventstore/client'
import { createCodec } from '@headwater/eventstore/codec'
import {
  type CommandAnswer,
  type CommandHandler,
  type CommandRequest,
  createCommandHandler,
  smallCacheWeightMax,
} from '@headwater/eventstore/handle-command'
import { readState } from '@headwater/eventstore/known-stream'
import { streamName } from '@headwater/eventstore/stream-name'
import { within } from '@headwater/eventstore/within'
import type { Logger } from '@headwater/http-kit/telemetry'
import { type CreditBureau, CreditBureauUnavailable } from '@headwater/third-parties/credit-bureau'
import type { z } from 'zod'
import type { ApplyStep } from './fault-point.ts'

/** Another request may reserve each time that a reservation is released. */
const reserveTriesMax = 3

const loanCodec = createCodec<LoanEvent>(loanEvents)
const applicantCodec = createCodec<ApplicantEvent>(applicantEvents)

/** For all that applying takes, below what a gateway waits; the bureau alone may take 2 s of it. */
export const applyMsMaxDefault = 12_000

type Application = Omit<CommandRequest<never>, 'id' | 'command' | 'expectedRevision' | 'giveUpAtMs'> & {
  /** By `performance.now()`: nobody waits any more, and nothing is begun. */
  readonly giveUpAtMs: number
  readonly loanId: string
  readonly input: z.infer<typeof requestLoanInput>
  readonly requestedBy: RequestedBy
  readonly traceparent: string
}

/**
 * Repeatable with the same ids after any interruption: what was done is found and not done again.
 * @throws Rejection `application_already_open`, and what every command may be refused with
 */
export type Apply = (application: Application) => Promise<CommandAnswer>

export type ApplyOptions = {
  readonly store: EventStore
  readonly loans: CommandHandler<LoanCommand>
  readonly bureau: CreditBureau
  /** Of the person with this national id. */
  readonly applicantIdOf: (nationalId: string) => string
  /** Called between the steps. */
  readonly reached: (step: ApplyStep) => void
  readonly logger: Logger
}

export const createApply = ({ store, loans, bureau, applicantIdOf, reached, logger }: ApplyOptions): Apply => {
  const applicants = createCommandHandler({
    store,
    decider: applicant,
    codec: applicantCodec,
    category: 'applicant',
    cacheWeightMax: smallCacheWeightMax,
    logger,
  })
  const now = () => new Date().toISOString()

  /** Whether a person may apply again: lets go of the reservation when the loan that holds it is over. */
  const released = async (
    applicantId: string,
    origin: Pick<Application, 'actor' | 'correlationId' | 'traceparent' | 'giveUpAtMs'>,
  ) => {
    const held = await readState(store, streamName('applicant', applicantId), applicant, applicantCodec)
    if (held.status === 'free') return true
    const { loanId } = held
    // A loan that is not there yet is on its way.
    if (!loan.isTerminal(await readState(store, streamName('loan', loanId), loan, loanCodec))) return false
    const commandId = randomUUID()
    const command = { type: 'ReleaseApplication', data: { loanId, at: now() } } as const
    await applicants.handle({ ...origin, id: applicantId, command, commandId, requestHash: commandId })
    return true
  }

  const reserve = async ({ loanId, input, commandId, requestHash, ...application }: Application) => {
    const id = applicantIdOf(input.nationalId)
    const { actor, correlationId, traceparent, giveUpAtMs } = application
    const origin = { actor, correlationId, traceparent, giveUpAtMs }
    for (let tries = 1; ; tries++)
      try {
        const command = { type: 'ReserveApplication', data: { loanId, at: now() } } as const
        await applicants.handle({ ...origin, id, command, commandId, requestHash })
        return
      } catch (error) {
        const held = error instanceof Rejection && error.code === 'application_already_open'
        if (!held || tries === reserveTriesMax || !(await released(id, origin))) throw error
      }
  }

  /** Undefined when the bureau does not answer: the application is accepted, and a job asks again. */
  const askBureau = async ({ loanId, input, traceparent }: Application): Promise<CreditScore | undefined> => {
    try {
      return await bureau.scoreOf({ loanId, nationalId: input.nationalId, traceparent })
    } catch (error) {
      if (error instanceof CreditBureauUnavailable) return undefined
      throw error
    }
  }

  const applyStepByStep: Apply = async (application) => {
    const { loanId, input, requestedBy, ...request } = application
    const at = now()
    await reserve(application)
    reached('reserved')
    const creditScore = await askBureau(application)
    reached('scored')
    const data = { ...input, loanId, requestedBy, at, ...(creditScore && { creditScore }) }
    const answer = await loans.handle({ ...request, id: loanId, command: { type: 'RequestLoan', data } })
    reached('requested')
    return answer
  }

  return (application) =>
    within(
      application.giveUpAtMs - performance.now(),
      applyStepByStep(application),
      () => new StoreUnavailable(new Error('Applying took too long.')),
    )
}
