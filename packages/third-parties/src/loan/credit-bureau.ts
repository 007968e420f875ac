// Asks the credit bureau for a person's score, within limits, and never longer than an applicant can be asked to wait.
import { Rejection } from '@headwater/deciders/decider'
import type { CreditScore } from '@headwater/deciders/loan/loan'
import { creditBureauAnswer } from '@headwater/deciders/loan/loan-events'
import { createBreaker } from '@headwater/http-kit/outbound/breaker'
import type { Logger } from 'pino'
import { Agent, request } from 'undici'

const answerTimeoutMsDefault = 2_000
const answerBytesMax = 16 * 1024
const connectionsMax = 50

/** The bureau gave no answer that means anything. */
export class CreditBureauUnavailable extends Rejection {
  constructor(cause: unknown) {
    super('credit_bureau_unavailable', 'The credit bureau does not answer. Try again in a moment.')
    this.cause = cause
  }
}

/** The bureau is well and does not take this question. */
class QuestionRefused extends Error {
  override readonly name = 'QuestionRefused'
}

/** These two are about the bureau's own state, not about the question: too slow to read it, too many questions. */
const overloadStatuses = [408, 429]
const isRefusal = (status: number) => status >= 400 && status < 500 && !overloadStatuses.includes(status)

type ScoreRequest = { readonly loanId: string; readonly nationalId: string; readonly traceparent: string }

export type CreditBureau = {
  /** A loan's id makes a repeated question the same question. @throws CreditBureauUnavailable */
  readonly scoreOf: (request: ScoreRequest) => Promise<CreditScore>
  /** It failed repeatedly and is not asked for now. */
  readonly isGivenUp: () => boolean
  readonly close: () => Promise<void>
}

export type CreditBureauOptions = {
  readonly url: string
  readonly logger: Logger
  /** From the call to the last byte of the answer, connecting included. */
  readonly answerTimeoutMs?: number
  /** A clock that never goes back. */
  readonly nowMs?: () => number
}

export const connectCreditBureau = ({
  url,
  logger,
  answerTimeoutMs = answerTimeoutMsDefault,
  nowMs = () => performance.now(),
}: CreditBureauOptions): CreditBureau => {
  const scores = new URL('v1/scores', url.endsWith('/') ? url : `${url}/`)
  const dispatcher = new Agent({ connections: connectionsMax, maxResponseSize: answerBytesMax })
  const breaker = createBreaker(nowMs, (error) => !(error instanceof QuestionRefused))

  const ask = async ({ loanId, nationalId, traceparent }: ScoreRequest, signal: AbortSignal): Promise<CreditScore> => {
    const { statusCode, body } = await request(scores, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': loanId, traceparent },
      body: JSON.stringify({ nationalId }),
      signal,
      dispatcher,
    })
    if (statusCode !== 200) {
      await body.dump()
      const text = `The credit bureau answered ${statusCode}.`
      throw isRefusal(statusCode) ? new QuestionRefused(text) : new Error(text)
    }
    return { ...creditBureauAnswer.parse(await body.json()), nationalId }
  }

  /** Unlike `AbortSignal.timeout`, its timer is gone with the answer. */
  const askInTime = async (question: ScoreRequest): Promise<CreditScore> => {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error('There was no answer in time.')), answerTimeoutMs)
    try {
      return await ask(question, late.signal)
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    scoreOf: async (question) => {
      try {
        return await breaker.call(() => askInTime(question))
      } catch (error) {
        logger.warn({ loanId: question.loanId, err: error }, 'no credit score')
        throw new CreditBureauUnavailable(error)
      }
    },
    isGivenUp: breaker.isOpen,
    close: () => dispatcher.destroy(),
  }
}
