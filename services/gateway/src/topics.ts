// The topics that can be followed live: which rows they are about, in which order, and what each viewer may see of them.
import { consentTopicRules } from '@headwater/deciders/consent/consent-policy'
import { uuid } from '@headwater/deciders/fields'
import { loanTopicRules } from '@headwater/deciders/loan/loan-policy'
import type { Rules } from '@headwater/deciders/policy'
import type { Allowed } from '@headwater/http-kit/access'
import {
  type ConsentRow,
  type ConsentsOf,
  compareConsents,
  isConcernedBy,
  listConsents,
  matchesConsents,
} from '@headwater/read-models/consents'
import { compareLoans, isOwned, type LoanRow, listLoans, loanStatuses, matchesLoan } from '@headwater/read-models/loans'
import type { Row } from '@headwater/read-models/read-model'
import type { Query } from '@headwater/read-models/reader'
import type { UnderwritingLoan } from '@headwater/read-models/underwriting'
import { compareIn, listQueue, matchesQueue } from '@headwater/read-models/underwriting-queries'
import { z } from 'zod'
import { loanViewerOf } from './auth/loan-access.ts'
import type { View } from './picture.ts'
import { type ConsentList, consentAsRecorded, ownConsents } from './seen-consent.ts'
import { underwritingLoanAsSeen } from './seen-underwriting.ts'
import { loanAsSeen } from './sight.ts'
import { liveQueueFilter, queueOrder } from './underwriting-filters.ts'

export type ReadModelName = 'loans' | 'underwriting' | 'consents'

/** A topic with its filter and its viewer filled in. */
export type LiveView = {
  /** Equal for views of the same rows by the same kind of viewer. */
  readonly name: string
  readonly readModel: ReadModelName
  readonly table: string
  readonly view: View<Row>
  /** Whether the viewer may know that there is such a row, shown or not. A row that is gone says not whose it was. */
  readonly mayHear: (row: Row | null) => boolean
  /** The first rows in the view's order. */
  readonly first: (count: number) => Query<Row>
}

type Topic = {
  readonly rules: Rules
  readonly filter: z.ZodType
  /** @param allowed at least one credential, by the rules */
  readonly open: (filter: unknown, allowed: readonly Allowed[]) => LiveView | 'invalid_filter'
}

const defineTopic = <R extends Row, Filter, Viewer>(topic: {
  readonly rules: Rules
  readonly readModel: ReadModelName
  readonly table: string
  /** Who sees it: equal as JSON where they see the same. */
  readonly viewer: (allowed: readonly Allowed[]) => Viewer
  readonly filter: z.ZodType<Filter>
  readonly view: (filter: Filter, viewer: Viewer) => View<R>
  readonly mayHear: (row: R | null, viewer: Viewer) => boolean
  readonly first: (filter: Filter, viewer: Viewer, count: number) => Query<R>
}): Topic => ({
  rules: topic.rules,
  filter: topic.filter,
  open: (filter, allowed) => {
    const parsed = topic.filter.safeParse(filter ?? undefined)
    if (!parsed.success) return 'invalid_filter'
    const viewer = topic.viewer(allowed)
    return {
      name: JSON.stringify([topic.table, parsed.data, viewer]),
      readModel: topic.readModel,
      table: topic.table,
      // What the feed says about a table are rows of that table.
      view: topic.view(parsed.data, viewer) as View<Row>,
      mayHear: (row) => topic.mayHear(row as R | null, viewer),
      first: (count) => topic.first(parsed.data, viewer, count),
    }
  },
})

const loans = defineTopic({
  readModel: 'loans',
  rules: loanTopicRules.loans,
  viewer: loanViewerOf,
  table: 'loans',
  filter: z.strictObject({ status: z.enum(loanStatuses).optional(), loanId: uuid.optional() }).prefault({}),
  view: (filter, { sight, owned }): View<LoanRow> => ({
    matches: matchesLoan({ ...filter, owned }),
    key: (loan) => loan.loanId,
    compare: compareLoans,
    show: (loan) => JSON.stringify(loanAsSeen(loan, sight)),
  }),
  mayHear: (loan, { owned }) => owned === undefined || (loan !== null && isOwned(owned, loan)),
  first: (filter, { owned }, count) => listLoans({ ...filter, owned, limit: count }),
})

/** The loans that wait for an underwriter. */
const underwriting = defineTopic({
  readModel: 'underwriting',
  rules: loanTopicRules.underwriting,
  viewer: () => 'underwriter',
  table: 'loans',
  filter: z.strictObject({ ...liveQueueFilter, ...queueOrder }).prefault({}),
  view: (filter): View<UnderwritingLoan> => ({
    matches: matchesQueue(filter),
    key: (loan) => loan.loanId,
    compare: compareIn(filter),
    show: (loan) => JSON.stringify(underwritingLoanAsSeen(loan)),
  }),
  mayHear: () => true,
  first: (filter, _viewer, count) => listQueue(filter, { ...filter, limit: count }),
})

/** One's own: what stands of one's record, what is asked of one, or what one was given sight of. */
const consentsIn = (list: ConsentList) =>
  defineTopic({
    readModel: 'consents',
    rules: consentTopicRules[list],
    viewer: (allowed) => ownConsents(list, allowed),
    table: 'consents',
    filter: z.strictObject({}).prefault({}),
    view: (_filter, own: ConsentsOf): View<ConsentRow> => ({
      matches: matchesConsents(own),
      key: ({ consentId }) => consentId,
      compare: compareConsents(own),
      show: (row) => JSON.stringify(consentAsRecorded(row)),
    }),
    mayHear: (row, own) => row !== null && isConcernedBy(own, row),
    first: (_filter, own, count) => listConsents(own, { limit: count }),
  })

export const topics: ReadonlyMap<string, Topic> = new Map([
  ['loans', loans],
  ['underwriting', underwriting],
  ['consents', consentsIn('consents')],
  ['consent-requests', consentsIn('requests')],
  ['granted-consents', consentsIn('granted')],
])
