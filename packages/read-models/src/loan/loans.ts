// Read model `loans`: one row a loan, as applicants and underwriters see it, with the queries on it.
import type { LoanStatus } from '@headwater/deciders/loan/loan-answers'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { loanStream } from '@headwater/deciders/loan/streams'
import type { RecordedEvent } from '@headwater/eventstore/codec'
import type { Cursor } from '@headwater/projections/model/cursor'
import type { RowsOf } from '@headwater/projections/model/projection'
import { sqliteQueries } from '@headwater/projections/model/queries'
import { type Part, readModel } from '@headwater/projections/run/parts'
import type { CompiledQuery } from 'kysely'

export type LoanRow = {
  readonly loanId: string
  readonly name: string
  readonly address: string
  readonly nationalId: string
  /** Whole euros. */
  readonly amount: number
  readonly status: LoanStatus
  /** 1..10, null until the credit bureau has answered. */
  readonly score: number | null
  readonly requestedByKind: 'person' | 'partner' | 'anonymous'
  readonly requestedById: string
  readonly requestedAt: string
  /** The underwriter; null while nobody decided, and when the score did. */
  readonly decidedBy: string | null
  readonly reason: string | null
  /** When it was approved, denied or withdrawn. */
  readonly decidedAt: string | null
  /** Of the loan's stream; what `If-Match` compares. */
  readonly revision: number
}

type LoanRows = { readonly loans: LoanRow }

const ownerColumns = ['loanId', 'requestedByKind', 'requestedById'] as const

/** Whose loan it is. */
export type LoanOwner = Pick<LoanRow, (typeof ownerColumns)[number]>

const evolve = (loan: LoanRow | undefined, event: LoanEvent): Omit<LoanRow, 'revision'> | undefined => {
  if (event.type === 'LoanRequested') {
    const { loanId, name, address, nationalId, amount, requestedBy, requestedAt } = event.data
    return {
      loanId,
      name,
      address,
      nationalId,
      amount,
      status: 'checking',
      score: null,
      requestedByKind: requestedBy.kind,
      requestedById: requestedBy.id,
      requestedAt,
      decidedBy: null,
      reason: null,
      decidedAt: null,
    }
  }
  if (!loan) return undefined // abandoned before the request arrived: there is nothing to show
  switch (event.type) {
    case 'CreditChecked':
      return { ...loan, score: event.data.score }
    case 'AutoApproved':
      return { ...loan, status: 'approved', decidedAt: event.data.decidedAt }
    case 'AutoDenied':
      return { ...loan, status: 'denied', decidedAt: event.data.decidedAt }
    case 'ManualReviewRequired':
      return { ...loan, status: 'awaiting review' }
    case 'ManuallyApproved':
    case 'ManuallyDenied': {
      const { decidedBy, reason, decidedAt } = event.data
      return {
        ...loan,
        status: event.type === 'ManuallyApproved' ? 'approved' : 'denied',
        decidedBy,
        reason,
        decidedAt,
      }
    }
    case 'LoanWithdrawn':
      return { ...loan, status: 'withdrawn', reason: event.data.reason, decidedAt: event.data.withdrawnAt }
    case 'LoanAbandoned':
      return { ...loan, status: 'abandoned', decidedAt: event.data.abandonedAt }
  }
}

const project = (event: RecordedEvent<LoanEvent>, { loans }: RowsOf<LoanRows>): void => {
  const { loanId } = event.data
  const loan = evolve(loans.get(loanId), event)
  if (loan) loans.set(loanId, { ...loan, revision: Number(event.revision) })
}

const loanPart: Part<LoanEvent, LoanRows> = {
  stream: loanStream,
  tables: {
    loans: {
      key: 'loanId',
      columns: {
        loanId: 'text',
        name: 'text',
        address: 'text',
        nationalId: 'text',
        amount: 'integer',
        status: 'text',
        score: 'integer or null',
        requestedByKind: 'text',
        requestedById: 'text',
        requestedAt: 'text',
        decidedBy: 'text or null',
        reason: 'text or null',
        decidedAt: 'text or null',
        revision: 'integer',
      },
      indexes: [
        ['requestedAt', 'loanId'],
        ['status', 'requestedAt', 'loanId'],
        ['requestedByKind', 'requestedById', 'requestedAt', 'loanId'],
      ],
      topicColumns: ownerColumns,
    },
  },
  owners: { loans: 'loanId' },
  keys: (event) => ({ loans: [event.data.loanId] }),
  project,
}

export const loans = readModel({ name: 'loans', version: 2, parts: [loanPart] })

const queries = sqliteQueries<LoanRows>()

export const loanById = (loanId: string): CompiledQuery<LoanRow> =>
  queries.selectFrom('loans').selectAll().where('loanId', '=', loanId).compile()

/** The loans of certain people and clients, and certain loans. */
export type OwnedLoans = {
  readonly requestedBy: readonly { readonly kind: LoanRow['requestedByKind']; readonly id: string }[]
  readonly loanIds: readonly string[]
}

export type LoanFilter = {
  readonly status?: LoanStatus | undefined
  readonly loanId?: string | undefined
  /** No others. */
  readonly owned?: OwnedLoans | undefined
}

/** The newest loans first. */
export const listLoans = ({
  status,
  loanId,
  owned,
  after,
  limit,
}: LoanFilter & { readonly after?: Cursor | undefined; readonly limit: number }): CompiledQuery<LoanRow> => {
  let query = queries.selectFrom('loans').selectAll()
  if (status !== undefined) query = query.where('status', '=', status)
  if (loanId !== undefined) query = query.where('loanId', '=', loanId)
  if (owned)
    query = query.where((eb) =>
      eb.or([
        ...owned.requestedBy.map(({ kind, id }) => eb.and({ requestedByKind: kind, requestedById: id })),
        ...owned.loanIds.map((id) => eb('loanId', '=', id)),
      ]),
    )
  if (after)
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('requestedAt', 'loanId'), '<', tuple(after.at, after.id)),
    )
  return query.orderBy('requestedAt', 'desc').orderBy('loanId', 'desc').limit(limit).compile()
}

/** The order of {@link listLoans}: negative when `a` comes first. */
export const compareLoans = (a: LoanRow, b: LoanRow): number => {
  if (a.requestedAt !== b.requestedAt) return a.requestedAt > b.requestedAt ? -1 : 1
  if (a.loanId !== b.loanId) return a.loanId > b.loanId ? -1 : 1
  return 0
}

export const isOwned = (owned: OwnedLoans | undefined, loan: LoanOwner): boolean =>
  owned === undefined ||
  owned.loanIds.includes(loan.loanId) ||
  owned.requestedBy.some(({ kind, id }) => loan.requestedByKind === kind && loan.requestedById === id)

/** False when a loan of this ID cannot be theirs, without looking at its row. */
export const canOwn = (owned: OwnedLoans | undefined, loanId: string): boolean =>
  owned === undefined || owned.requestedBy.length > 0 || owned.loanIds.includes(loanId)

export const matchesLoan =
  ({ status, loanId, owned }: LoanFilter) =>
  (loan: LoanRow): boolean =>
    (status === undefined || loan.status === status) &&
    (loanId === undefined || loan.loanId === loanId) &&
    isOwned(owned, loan)

export const loanCursorOf = ({ requestedAt, loanId }: LoanRow): Cursor => ({ at: requestedAt, id: loanId })

export type PublicLoan = Pick<LoanRow, 'loanId' | 'amount' | 'status' | 'requestedAt' | 'decidedAt'>

/** What anybody may see of a loan; a new field stays hidden until it is named here. */
export const publicLoan = ({ loanId, amount, status, requestedAt, decidedAt }: LoanRow): PublicLoan => ({
  loanId,
  amount,
  status,
  requestedAt,
  decidedAt,
})
