// Read model `underwriting`: the loans as underwriters work on them, and how deciding goes, counted as it happens.
import type { Outcome } from '@headwater/deciders/loan/loan-answers'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { loanStream } from '@headwater/deciders/loan/streams'
import { type Part, readModel } from '@headwater/projections/run/parts'

export type UnderwritingStatus = 'checking' | 'awaiting review' | Outcome

export type UnderwritingLoan = {
  readonly loanId: string
  readonly name: string
  /** {@link folded} name, to search in. */
  readonly foldedName: string
  /** Whole euros. */
  readonly amount: number
  /** 1..10, null until the credit bureau has answered. */
  readonly score: number | null
  readonly status: UnderwritingStatus
  readonly requestedAt: string
  /** When it was approved, denied or withdrawn. */
  readonly decidedAt: string | null
  /** The underwriter; null while nobody decided, and when the score or the applicant did. */
  readonly decidedBy: string | null
  readonly reason: string | null
  /** From the request to an underwriter's decision; null where no underwriter decided. */
  readonly decidedAfterMs: number | null
  /** Of the loan's stream; what `If-Match` compares. */
  readonly revision: number
}

/** The loans that ended on one day (UTC) in one way. */
export type DayOutcome = {
  readonly key: string
  readonly day: string
  readonly outcome: Outcome
  readonly count: number
  readonly amount: number
}

/** The loans that the credit bureau gave one score. */
export type ScoreCount = { readonly key: string; readonly score: number; readonly count: number }

/** The decisions of underwriters that took longer than the bucket before, up to `bucketMs`; null is without end. */
export type DecisionTimeCount = { readonly key: string; readonly bucketMs: number | null; readonly count: number }

type Loans = { readonly loans: UnderwritingLoan }
type Tallies = {
  readonly days: DayOutcome
  readonly scores: ScoreCount
  readonly decisionTimes: DecisionTimeCount
}
export type UnderwritingRows = Loans & Tallies

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Where the buckets of decision times end; the last has no end. */
export const decisionTimeBuckets = [
  10_000,
  minuteMs,
  5 * minuteMs,
  15 * minuteMs,
  hourMs,
  4 * hourMs,
  dayMs,
  3 * dayMs,
  7 * dayMs,
  null,
] as const

const bucketKeys = decisionTimeBuckets.map(String)

const bucketOf = (ms: number): number | null => decisionTimeBuckets.find((end) => end === null || ms <= end) ?? null

/** Text without accents and capitals: `Zoë` and `ZOE` are found by `zoe`. */
export const folded = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{Mn}/gu, '')
    .toLowerCase()

type Decision = Pick<UnderwritingLoan, 'decidedBy' | 'reason'> & {
  readonly status: Outcome
  readonly decidedAt: string
}

/** How an event ends its loan; undefined when it does not. */
const decisionOf = (event: LoanEvent): Decision | undefined => {
  switch (event.type) {
    case 'AutoApproved':
    case 'AutoDenied': {
      const status = event.type === 'AutoApproved' ? 'approved' : 'denied'
      return { status, decidedAt: event.data.decidedAt, decidedBy: null, reason: null }
    }
    case 'ManuallyApproved':
    case 'ManuallyDenied': {
      const { decidedAt, decidedBy, reason } = event.data
      return { status: event.type === 'ManuallyApproved' ? 'approved' : 'denied', decidedAt, decidedBy, reason }
    }
    case 'LoanWithdrawn':
      return {
        status: 'withdrawn',
        decidedAt: event.data.withdrawnAt,
        decidedBy: null,
        reason: event.data.reason,
      }
    default:
      return undefined
  }
}

const dayOf = (instant: string): string => instant.slice(0, '2026-11-21'.length)

const dayKey = ({ decidedAt, status }: { readonly decidedAt: string; readonly status: string }): string =>
  `${dayOf(decidedAt)} ${status}`

/** The clocks of two machines may disagree by more than a decision takes. */
const msBetween = (from: string, to: string): number => Math.max(0, Date.parse(to) - Date.parse(from))

const evolve = (
  loan: UnderwritingLoan | undefined,
  event: LoanEvent,
): Omit<UnderwritingLoan, 'revision'> | undefined => {
  if (event.type === 'LoanRequested') {
    const { loanId, name, amount, requestedAt } = event.data
    return {
      loanId,
      name,
      foldedName: folded(name),
      amount,
      score: null,
      status: 'checking',
      requestedAt,
      decidedAt: null,
      decidedBy: null,
      reason: null,
      decidedAfterMs: null,
    }
  }
  if (!loan) return undefined // abandoned before the request arrived: there is nothing to show
  if (event.type === 'CreditChecked') return { ...loan, score: event.data.score }
  if (event.type === 'ManualReviewRequired') return { ...loan, status: 'awaiting review' }
  const decision = decisionOf(event)
  if (!decision) return loan
  const decidedAfterMs = decision.decidedBy === null ? null : msBetween(loan.requestedAt, decision.decidedAt)
  return { ...loan, ...decision, decidedAfterMs }
}

/** What a loan adds to the tallies. */
const countedIn = ({ score, status, decidedAt, decidedAfterMs, amount }: UnderwritingLoan) => ({
  scores: score === null ? [] : [scoreCount(score)],
  days: decidedAt === null ? [] : [dayOutcome({ decidedAt, status }, amount)],
  decisionTimes: decidedAfterMs === null ? [] : [decisionTimeCount(decidedAfterMs)],
})

const scoreCount = (score: number): ScoreCount => ({ key: String(score), score, count: 1 })

const dayOutcome = (
  decision: Pick<UnderwritingLoan, 'status'> & { decidedAt: string },
  amount: number,
): DayOutcome => ({
  key: dayKey(decision),
  day: dayOf(decision.decidedAt),
  outcome: decision.status as Outcome,
  count: 1,
  amount,
})

const decisionTimeCount = (ms: number): DecisionTimeCount => {
  const bucketMs = bucketOf(ms)
  return { key: String(bucketMs), bucketMs, count: 1 }
}

const project: Part<LoanEvent, Loans, Tallies>['project'] = (event, rows) => {
  const { loanId } = event.data
  const loan = evolve(rows.loans.get(loanId), event)
  if (!loan) return
  rows.loans.set(loanId, { ...loan, revision: Number(event.revision) })
  if (event.type === 'CreditChecked') rows.scores.add(scoreCount(event.data.score))
  const decision = decisionOf(event)
  if (!decision) return
  rows.days.add(dayOutcome(decision, loan.amount))
  if (loan.decidedAfterMs !== null) rows.decisionTimes.add(decisionTimeCount(loan.decidedAfterMs))
}

const keys = (event: LoanEvent): { readonly [Table in keyof UnderwritingRows]?: readonly string[] } => {
  const decision = decisionOf(event)
  return {
    loans: [event.data.loanId],
    scores: event.type === 'CreditChecked' ? [String(event.data.score)] : [],
    days: decision ? [dayKey(decision)] : [],
    // Which one depends on when the loan was requested, which only its row tells.
    decisionTimes: decision && decision.decidedBy !== null ? bucketKeys : [],
  }
}

const loanPart: Part<LoanEvent, Loans, Tallies> = {
  stream: loanStream,
  tables: {
    loans: {
      key: 'loanId',
      columns: {
        loanId: 'text',
        name: 'text',
        foldedName: 'text',
        amount: 'integer',
        score: 'integer or null',
        status: 'text',
        requestedAt: 'text',
        decidedAt: 'text or null',
        decidedBy: 'text or null',
        reason: 'text or null',
        decidedAfterMs: 'integer or null',
        revision: 'integer',
      },
      indexes: [['status', 'requestedAt', 'loanId'], ['decidedAt', 'loanId'], ['decidedAfterMs']],
    },
    days: {
      key: 'key',
      columns: { key: 'text', day: 'text', outcome: 'text', count: 'integer', amount: 'integer' },
      indexes: [],
    },
    scores: { key: 'key', columns: { key: 'text', score: 'integer', count: 'integer' }, indexes: [] },
    decisionTimes: {
      key: 'key',
      columns: { key: 'text', bucketMs: 'integer or null', count: 'integer' },
      indexes: [],
    },
  },
  owners: { loans: 'loanId' },
  tallies: { days: { count: 'sum', amount: 'sum' }, scores: { count: 'sum' }, decisionTimes: { count: 'sum' } },
  counted: { loans: countedIn },
  keys,
  project,
}

export const underwriting = readModel({ name: 'underwriting', version: 1, parts: [loanPart] })
