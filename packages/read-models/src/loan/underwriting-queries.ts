// The questions that underwriters ask of the read model `underwriting`: who waits, what was decided, and the numbers.
import { type Outcome, outcomes } from '@headwater/deciders/loan/loan-answers'
import type { directions, historySorts, queueSorts } from '@headwater/deciders/loan/loan-filters'
import { isId, isInstant } from '@headwater/projections/model/cursor'
import { postgresQueries } from '@headwater/projections/model/queries'
import type { PostgresQueries } from '@headwater/projections/postgres/reader'
import { schemaName } from '@headwater/projections/postgres/schema'
import { type CompiledQuery, sql } from 'kysely'
import { endOfDay } from '../days.ts'
import {
  type DayOutcome,
  decisionTimeBuckets,
  folded,
  type UnderwritingLoan,
  type UnderwritingRows,
  underwriting,
} from './underwriting.ts'

const queries = postgresQueries<UnderwritingRows>().withSchema(schemaName(underwriting))

/** Of Postgres. */
const integerMax = 2 ** 31 - 1

type Sort = (typeof queueSorts)[number] | (typeof historySorts)[number]

/** The order of a list; loans that are equal in it stand by their ids. */
export type Order = { readonly sort: Sort; readonly direction: (typeof directions)[number] }

type Search = {
  /** Part of the name, or the beginning of the loan's id. */
  readonly search?: string | undefined
}

export type QueueFilter = Search & { readonly score?: number | undefined }

export type HistoryFilter = Search & {
  readonly outcome?: Outcome | undefined
  /** First and last day (UTC) of the decisions. */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

/** Where a page begins: after the loan with this id, whose sorted value this is. */
export type LoansCursor = { readonly value: string | number; readonly loanId: string }

export type Page = Order & { readonly after?: LoansCursor | undefined; readonly limit: number }

const sortedValue = (loan: UnderwritingLoan, sort: Sort): string | number => loan[sort] ?? ''

const comparing = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0)

/** Negative when `a` comes first. */
export const compareIn =
  ({ sort, direction }: Order) =>
  (a: UnderwritingLoan, b: UnderwritingLoan): number => {
    const ascending = comparing(sortedValue(a, sort), sortedValue(b, sort)) || comparing(a.loanId, b.loanId)
    return direction === 'asc' ? ascending : -ascending
  }

export const matchesQueue = ({ search, score }: QueueFilter): ((loan: UnderwritingLoan) => boolean) => {
  const text = search === undefined ? undefined : folded(search)
  return (loan) =>
    loan.status === 'awaiting review' &&
    (score === undefined || loan.score === score) &&
    (text === undefined || loan.foldedName.includes(text) || loan.loanId.startsWith(text))
}

const found = (search: string | undefined) => {
  if (search === undefined) return sql<boolean>`true`
  const text = folded(search)
  return sql<boolean>`(position(${text} in ${sql.ref('foldedName')}) > 0 or starts_with(${sql.ref('loanId')}, ${text}))`
}

const pageOf = <Query extends ReturnType<typeof allLoans>>(query: Query, { sort, direction, after, limit }: Page) => {
  const following = after
    ? query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple(sort, 'loanId'), direction === 'asc' ? '>' : '<', tuple(after.value, after.loanId)),
      )
    : query
  return following.orderBy(sort, direction).orderBy('loanId', direction).limit(limit).compile()
}

const allLoans = () => queries.selectFrom('loans').selectAll()

/** Loans that wait for an underwriter. */
export const listQueue = ({ search, score }: QueueFilter, page: Page): CompiledQuery<UnderwritingLoan> => {
  let query = allLoans().where('status', '=', 'awaiting review').where(found(search))
  if (score !== undefined) query = query.where('score', '=', score)
  return pageOf(query, page)
}

/** Loans that are decided or withdrawn. */
export const listHistory = (
  { search, outcome, from, to }: HistoryFilter,
  page: Page,
): CompiledQuery<UnderwritingLoan> => {
  let query = allLoans()
    .where('status', 'in', outcome === undefined ? outcomes : [outcome])
    .where(found(search))
  if (from !== undefined) query = query.where('decidedAt', '>=', from)
  if (to !== undefined) query = query.where('decidedAt', '<', endOfDay(to))
  return pageOf(query, page)
}

/** A cursor as callers see it: opaque text, good for the order that it was made in. */
export const formatLoansCursor = (loan: UnderwritingLoan, { sort, direction }: Order): string =>
  Buffer.from(JSON.stringify([sort, direction, sortedValue(loan, sort), loan.loanId])).toString('base64url')

export const parseLoansCursor = (text: string, { sort, direction }: Order): LoansCursor | undefined => {
  const parts = parseArray(Buffer.from(text, 'base64url').toString())
  const [ofSort, ofDirection, value, loanId] = parts
  if (ofSort !== sort || ofDirection !== direction || !isId(loanId)) return undefined
  if (sort === 'amount' || sort === 'score')
    return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= integerMax
      ? { value, loanId }
      : undefined
  return isInstant(value) ? { value, loanId } : undefined
}

const parseArray = (text: string): readonly unknown[] => {
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? parsed : []
  } catch {
    return []
  }
}

export type Statistics = {
  readonly waiting: { readonly count: number; readonly amount: number }
  /** The days in their order; a day and outcome without loans is left out. */
  readonly byDay: readonly Omit<DayOutcome, 'key'>[]
  readonly scores: readonly { readonly score: number; readonly count: number }[]
  /** All buckets, the shortest first. */
  readonly decisionTimes: readonly { readonly bucketMs: number | null; readonly count: number }[]
  /** Of the decisions by underwriters; null when there is none. */
  readonly medianMs: number | null
}

const scores = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

/** The median decision time. The buckets say in which of them it lies, so that no more than that one is read. */
const medianOf = async (db: PostgresQueries, counts: Statistics['decisionTimes']): Promise<number | null> => {
  const decisions = counts.reduce((sum, { count }) => sum + count, 0)
  if (decisions === 0) return null
  let before = Math.ceil(decisions / 2) - 1
  let longerThan = -1
  for (const { bucketMs, count } of counts) {
    if (before < count) {
      let within = queries.selectFrom('loans').select('decidedAfterMs').where('decidedAfterMs', '>', longerThan)
      if (bucketMs !== null) within = within.where('decidedAfterMs', '<=', bucketMs)
      const [median] = await db.rows(within.orderBy('decidedAfterMs').offset(before).limit(1).compile())
      return median?.decidedAfterMs ?? null
    }
    before -= count
    longerThan = bucketMs ?? longerThan
  }
  return null
}

/** @param since the first day of `byDay` */
export const readStatistics = async (db: PostgresQueries, since: string): Promise<Statistics> => {
  const waiting = queries
    .selectFrom('loans')
    .select(({ fn }) => [fn.countAll<number>().as('count'), sql<number>`coalesce(sum("amount"), 0)::int8`.as('amount')])
    .where('status', '=', 'awaiting review')
  const byDay = queries
    .selectFrom('days')
    .select(['day', 'outcome', 'count', 'amount'])
    .where('day', '>=', since)
    .orderBy('key')
  const scored = new Map(
    (await db.rows(queries.selectFrom('scores').selectAll().compile())).map(({ score, count }) => [score, count]),
  )
  const taken = new Map(
    (await db.rows(queries.selectFrom('decisionTimes').selectAll().compile())).map((row) => [row.bucketMs, row.count]),
  )
  const decisionTimes = decisionTimeBuckets.map((bucketMs) => ({ bucketMs, count: taken.get(bucketMs) ?? 0 }))
  const [waitingNow] = await db.rows(waiting.compile())
  return {
    waiting: waitingNow ?? { count: 0, amount: 0 },
    byDay: await db.rows(byDay.compile()),
    scores: scores.map((score) => ({ score, count: scored.get(score) ?? 0 })),
    decisionTimes,
    medianMs: await medianOf(db, decisionTimes),
  }
}
