// Applying for a loan: reserve the applicant, ask the bureau once, decide. The process may end between any two steps.
import { randomUUID } from 'node:crypto'
import { Rejection } from '@headwater/deciders/decider'
import type { CreditScore, LoanCommand, requestLoanInput } from '@headwater/deciders/loan/loan'
import type { RequestedBy } from '@headwater/deciders/loan/loan-events'
import { isOpenLoanOf } from '@headwater/deciders/loan/loan-state'
import { applicantStream, loanStream } from '@headwater/deciders/loan/streams'
import { type EventStore, StoreUnavailable, StreamDeleted } from '@headwater/eventstore/client/client'
import type { CommandAnswer, CommandRequest } from '@headwater/eventstore/commands/command-request'
import {
  type CommandHandler,
  createCommandHandler,
  smallCacheWeightMax,
} from '@headwater/eventstore/commands/handle-command'
import { readState } from '@headwater/eventstore/commands/read-known'
import { within } from '@headwater/eventstore/within'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { type CreditBureau, CreditBureauUnavailable } from '@headwater/third-parties/loan/credit-bureau'
import type { z } from 'zod'
import type { ApplyStep } from './fault-point.ts'

/** Another request may reserve each time that a reservation is released. */
const reserveTriesMax = 3

const isRejection = (error: unknown, code: string): error is Rejection =>
  error instanceof Rejection && error.code === code

/** For all that applying takes, below what a gateway waits; the bureau alone may take 2 s of it. */
export const applyMsMaxDefault = 12_000

type Application = Omit<CommandRequest<never>, 'id' | 'command' | 'expectedRevision' | 'deadlineMs'> & {
  /** By `performance.now()`: nobody waits any more, and nothing is begun. */
  readonly deadlineMs: number
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
    stream: applicantStream,
    cacheWeightMax: smallCacheWeightMax,
    logger,
  })
  const now = () => new Date().toISOString()

  const release = async (
    applicantId: string,
    loanId: string,
    { actor, correlationId, traceparent, deadlineMs }: Application,
  ) => {
    const commandId = randomUUID()
    const origin = { actor, correlationId, traceparent, deadlineMs, commandId, requestHash: commandId }
    const command = { type: 'ReleaseApplication', data: { loanId, at: now() } } as const
    await applicants.handle({ ...origin, id: applicantId, command })
  }

  /** A loan that does not exist yet may still arrive; a deleted one cannot. */
  const isHeldBy = async (loanId: string, applicantId: string): Promise<boolean> => {
    try {
      const state = await readState(store, loanStream, loanId)
      return state.status === 'none' || isOpenLoanOf(state, (nationalId) => applicantIdOf(nationalId) === applicantId)
    } catch (error) {
      if (error instanceof StreamDeleted) return false
      throw error
    }
  }

  /** Releases the reservation when its loan is over, or belongs to another person. */
  const releasedUnlessHeld = async (applicantId: string, application: Application): Promise<boolean> => {
    const reservation = await readState(store, applicantStream, applicantId)
    if (reservation.status === 'free') return true
    const { loanId } = reservation
    if (await isHeldBy(loanId, applicantId)) return false
    await release(applicantId, loanId, application)
    return true
  }

  /** @returns whether the reservation was written now, or the rejection when the person has another open application */
  const reserve = async (applicantId: string, application: Application): Promise<boolean | Rejection> => {
    const { loanId, input: _input, requestedBy: _requestedBy, ...request } = application
    for (let tries = 1; ; tries++)
      try {
        const command = { type: 'ReserveApplication', data: { loanId, at: now() } } as const
        return (await applicants.handle({ ...request, id: applicantId, command })).appended
      } catch (error) {
        if (!isRejection(error, 'application_already_open')) throw error
        if (tries === reserveTriesMax || !(await releasedUnlessHeld(applicantId, application))) return error
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

  /** @throws Rejection `idempotency_key_reused` when the loan under this key is another person's */
  const requestLoan = async (application: Application, reserved: boolean | Rejection): Promise<CommandAnswer> => {
    const { loanId, input, requestedBy, ...request } = application
    const at = now()
    // A reservation written now shows that this person did not send this key before (docs/decisions/019).
    const earlier = reserved === true ? undefined : await loans.recorded({ ...request, id: loanId })
    if (earlier) return earlier
    if (reserved instanceof Rejection) throw reserved
    reached('reserved')
    const creditScore = await askBureau(application)
    reached('scored')
    const data = { ...input, loanId, requestedBy, at, ...(creditScore && { creditScore }) }
    const answer = await loans.handle({ ...request, id: loanId, command: { type: 'RequestLoan', data } })
    reached('requested')
    return answer
  }

  const applyStepByStep: Apply = async (application) => {
    const applicantId = applicantIdOf(application.input.nationalId)
    const reserved = await reserve(applicantId, application)
    try {
      return await requestLoan(application, reserved)
    } catch (error) {
      // The loan under this key belongs to another person: this person must not stay reserved for it.
      const isNeverTheirs = isRejection(error, 'idempotency_key_reused') || error instanceof StreamDeleted
      if (isNeverTheirs) await release(applicantId, application.loanId, application)
      throw error
    }
  }

  return (application) =>
    within(
      application.deadlineMs - performance.now(),
      applyStepByStep(application),
      () => new StoreUnavailable(new Error('Applying took too long.')),
    )
}
