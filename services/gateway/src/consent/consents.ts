// Queries on consents: who sees my record, who asks for it, whose I see. Each shows the asker's own and nothing else.
import { consentApi, type SeenConsent } from '@headwater/deciders/consent/api'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { formatCursor } from '@headwater/projections/model/cursor'
import type { SqliteReader } from '@headwater/projections/sqlite/reader'
import { type ConsentRow, consentCursorOf, listConsents } from '@headwater/read-models/consent/consents'
import { cursorOf } from '../cursor.ts'
import { named, type People } from '../people.ts'
import { readAfter } from '../read-after.ts'
import { type ConsentList, consentAt, namedGranteeId, ownConsents } from './seen-consent.ts'

/** A consent shows the other side's name only after that person asked or granted: an ID alone reveals no name. */
const withNames = async (
  list: ConsentList,
  rows: readonly ConsentRow[],
  at: string,
  people: Pick<People, 'namesOf'>,
): Promise<readonly SeenConsent[]> => {
  const isOfPatient = list !== 'granted'
  const namedId = (row: ConsentRow) => (isOfPatient ? namedGranteeId(row) : row.patientId)
  const names = await people.namesOf(rows.map(namedId))
  return rows.map((row) => ({
    ...consentAt(row, at),
    ...named(names, isOfPatient ? 'granteeName' : 'patientName', namedId(row)),
  }))
}

export const registerConsents = (
  server: HttpServer,
  { reader, people }: { readonly reader: SqliteReader; readonly people: Pick<People, 'namesOf'> },
): void => {
  for (const list of ['consents', 'requests', 'granted'] as const)
    registerQuery(server, 'consent', consentApi.queries[list], async ({ query, allowed }, reply) => {
      const own = ownConsents(list, allowed)
      const { cursor, limit } = query
      // One more than asked for tells whether there is a next page.
      const rows = listConsents(own, { after: cursorOf(cursor), limit: limit + 1 })
      const { value, headers } = await readAfter(reader, query.after, () => reader.rows(rows))
      reply.headers(headers)
      const shown = value.slice(0, limit)
      const last = shown.at(-1)
      const at = new Date().toISOString()
      const all = await withNames(list, shown, at, people)
      return {
        me: 'patientId' in own ? own.patientId : own.granteeId,
        // An expired consent is not listed, even before its end is recorded.
        consents: list === 'requests' ? [...all] : all.filter(({ permissions }) => permissions.length > 0),
        next: last && value.length > limit ? formatCursor(consentCursorOf(own, last)) : null,
      }
    })
}
