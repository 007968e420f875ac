// Read model `underwriting`: the loans as underwriters work on them, and how deciding goes, counted as it happens.
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { loanStream } from '@headwater/deciders/loan/streams'
import { createCodec, type RecordedEvent } from '@headwater/eventstore/codec'
import type { Projection, RowsOf } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'
import type { Rows } from '@headwater/projections/model/rows'

/** How a loan ends. */
export const outcomes = ['approved', 'denied', 'withdrawn'] as const
export type Outcome = (typeof outcomes)[number]

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

export type UnderwritingRows = {
  readonly loans: UnderwritingLoan
  readonly days: DayOutcome
  readonly scores: ScoreCount
  readonly decisionTimes: DecisionTimeCount
}

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

type Counts = Row & { readonly key: string; readonly count: number }

/** Adds to a row of counts, which begins as `zero`. */
const add = <R extends Counts>(rows: Rows<R>, zero: R, change: (row: R) => Partial<R> = () => ({})): void => {
  const row = rows.get(zero.key) ?? zero
  rows.set(zero.key, { ...row, ...change(row), count: row.count + 1 })
}

/** Subtracts from a row of counts. An empty row is removed, because a rebuild would not create it. */
const subtract = <R extends Counts>(rows: Rows<R>, key: string, change: (row: R) => Partial<R> = () => ({})): void => {
  const row = rows.get(key)
  if (!row) return
  if (row.count > 1) rows.set(key, { ...row, ...change(row), count: row.count - 1 })
  else rows.remove(key)
}

/** The rows that count a loan. */
const countedIn = ({ score, status, decidedAt, decidedAfterMs }: UnderwritingLoan) => ({
  scores: score === null ? [] : [String(score)],
  days: decidedAt === null ? [] : [dayKey({ decidedAt, status })],
  decisionTimes: decidedAfterMs === null ? [] : [String(bucketOf(decidedAfterMs))],
})

const uncount = (loan: UnderwritingLoan, rows: RowsOf<UnderwritingRows>): void => {
  const counted = countedIn(loan)
  for (const key of counted.scores) subtract(rows.scores, key)
  for (const key of counted.days) subtract(rows.days, key, ({ amount }) => ({ amount: amount - loan.amount }))
  for (const key of counted.decisionTimes) subtract(rows.decisionTimes, key)
}

const project = (event: RecordedEvent<LoanEvent>, rows: RowsOf<UnderwritingRows>): void => {
  const { loanId } = event.data
  const loan = evolve(rows.loans.get(loanId), event)
  if (!loan) return
  rows.loans.set(loanId, { ...loan, revision: Number(event.revision) })
  if (event.type === 'CreditChecked') {
    const { score } = event.data
    add(rows.scores, { key: String(score), score, count: 0 })
  }
  const decision = decisionOf(event)
  if (!decision) return
  const day = { key: dayKey(decision), day: dayOf(decision.decidedAt), outcome: decision.status, count: 0, amount: 0 }
  add(rows.days, day, ({ amount }) => ({ amount: amount + loan.amount }))
  if (loan.decidedAfterMs === null) return
  const bucketMs = bucketOf(loan.decidedAfterMs)
  add(rows.decisionTimes, { key: String(bucketMs), bucketMs, count: 0 })
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

export const underwriting: Projection<LoanEvent, UnderwritingRows> = {
  name: 'underwriting',
  version: 1,
  categories: ['loan'],
  codec: createCodec(loanStream),
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
  keys,
  project,
  owned: { loans: { column: 'loanId', counted: { keys: countedIn, subtract: uncount } } },
}
