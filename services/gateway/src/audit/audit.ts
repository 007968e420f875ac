// The query of auditors: who did what to which thing, was refused it, or looked at it.
import { type AuditEntry, auditApi } from '@headwater/deciders/audit/api'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { formatCursor } from '@headwater/projections/model/cursor'
import type { PostgresReader } from '@headwater/projections/postgres/reader'
import type { AuditRow } from '@headwater/read-models/audit/audit'
import { auditCursorOf, listAudit } from '@headwater/read-models/audit/audit-queries'
import { cursorOf } from '../cursor.ts'
import { type Names, named, type People } from '../people.ts'
import { readAfter } from '../read-after.ts'

const asSeen = ({ details, ...row }: AuditRow, names: Names): AuditEntry => ({
  ...row,
  ...named(names, 'actorName', row.actor),
  details: details === null ? null : JSON.parse(details),
})

export const registerAudit = (
  server: HttpServer,
  { reader, people }: { readonly reader: PostgresReader; readonly people: Pick<People, 'namesOf'> },
): void => {
  registerQuery(
    server,
    'audit',
    auditApi.queries.audit,
    async ({ query: { cursor, limit, after: position, ...wanted } }, reply) => {
      // One more than asked for tells whether there is a next page.
      const query = listAudit(wanted, { after: cursorOf(cursor), limit: limit + 1 })
      const { value, headers } = await readAfter(reader, position, () => reader.rows(query))
      const shown = value.slice(0, limit)
      const last = shown.at(-1)
      const names = await people.namesOf(shown.map(({ actor }) => actor))
      reply.headers(headers)
      return {
        entries: shown.map((row) => asSeen(row, names)),
        next: last && value.length > limit ? formatCursor(auditCursorOf(last)) : null,
      }
    },
    { look: { list: 'audit' } },
  )
}
