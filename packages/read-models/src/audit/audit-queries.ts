// The questions that auditors ask of the read model `audit`.

import type { Cursor } from '@headwater/projections/model/cursor'
import { postgresQueries } from '@headwater/projections/model/queries'
import { schemaName } from '@headwater/projections/postgres/schema'
import type { CompiledQuery } from 'kysely'
import { endOfDay } from '../days.ts'
import { type AuditOutcome, type AuditRow, audit } from './audit.ts'

const queries = postgresQueries<{ readonly entries: AuditRow }>().withSchema(schemaName(audit))

export type AuditFilter = {
  readonly actor?: string | undefined
  readonly action?: string | undefined
  readonly outcome?: AuditOutcome | undefined
  readonly resource?: string | undefined
  readonly correlationId?: string | undefined
  /** First and last day (UTC). */
  readonly from?: string | undefined
  readonly to?: string | undefined
}

const equalities = ['actor', 'action', 'outcome', 'resource', 'correlationId'] as const

/** The newest first. */
export const listAudit = (
  filter: AuditFilter,
  { after, limit }: { readonly after?: Cursor | undefined; readonly limit: number },
): CompiledQuery<AuditRow> => {
  let query = queries.selectFrom('entries').selectAll()
  for (const column of equalities) {
    const value = filter[column]
    if (value !== undefined) query = query.where(column, '=', value)
  }
  if (filter.from !== undefined) query = query.where('at', '>=', filter.from)
  if (filter.to !== undefined) query = query.where('at', '<', endOfDay(filter.to))
  if (after)
    query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'eventId'), '<', tuple(after.at, after.id)))
  return query.orderBy('at', 'desc').orderBy('eventId', 'desc').limit(limit).compile()
}

export const auditCursorOf = ({ at, eventId }: AuditRow): Cursor => ({ at, id: eventId })
