// Queries on consents: who sees my record, who asks for it, whose I see. Each shows the asker's own and nothing else.
import { consentQueryRules } from '@headwater/deciders/consent/consent-policy'
import type { HttpServer } from '@headwater/http-kit/server'
import { consentCursorOf, listConsents } from '@headwater/read-models/consents'
import { formatCursor } from '@headwater/read-models/cursor'
import type { SqliteReader } from '@headwater/read-models/sqlite-reader'
import { z } from 'zod'
import { cursor, pageSize, problemAnswer } from './answers.ts'
import { named, type People } from './people.ts'
import { after, readAfter } from './read-after.ts'
import { type ConsentList, consentAt, ownConsents, type SeenConsent, seenConsent } from './seen-consent.ts'

const page = z.object({
  me: z.string().meta({ description: 'Your own id, which others need to grant you something or to ask you.' }),
  consents: z.array(seenConsent),
  next: z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last.' }),
})

const lists: readonly { readonly list: ConsentList; readonly url: string; readonly summary: string }[] = [
  { list: 'consents', url: '/api/consents', summary: 'Who sees which part of your record' },
  { list: 'requests', url: '/api/consents/requests', summary: 'Who asks to see your record' },
  { list: 'granted', url: '/api/consents/granted', summary: 'Whose records you may see' },
]

/**
 * Each is told what the other is called, where that is known: a patient of whoever asks or is granted something, others
 * of the patients who let them see something. To ask about an id is not enough to learn whose it is.
 */
const withNames = async (list: ConsentList, seen: readonly SeenConsent[], people: Pick<People, 'namesOf'>) => {
  const isOfPatient = list !== 'granted'
  const idOf = ({ patientId, grantee }: SeenConsent) => (isOfPatient ? grantee.id : patientId)
  const names = await people.namesOf(seen.map(idOf))
  return seen.map((consent) => ({
    ...consent,
    ...named(names, isOfPatient ? 'granteeName' : 'patientName', idOf(consent)),
  }))
}

export const registerConsents = (
  server: HttpServer,
  { reader, people }: { readonly reader: SqliteReader; readonly people: Pick<People, 'namesOf'> },
): void => {
  for (const { list, url, summary } of lists)
    server.get(
      url,
      {
        config: { rules: consentQueryRules[list] },
        schema: {
          tags: ['consent'],
          summary,
          querystring: z.strictObject({ cursor, limit: pageSize, after }),
          response: {
            200: page,
            422: problemAnswer('Something in the query is not right.'),
          },
        },
      },
      async ({ query, allowed }, reply) => {
        const own = ownConsents(list, allowed)
        const { cursor, limit } = query
        // One more than asked for tells whether there is a next page.
        const rows = listConsents(own, { after: cursor, limit: limit + 1 })
        const { value, headers } = await readAfter(reader, query.after, () => reader.rows(rows))
        reply.headers(headers)
        const shown = value.slice(0, limit)
        const last = shown.at(-1)
        const at = new Date().toISOString()
        const all = shown.map((row) => consentAt(row, at))
        // What has come to its end is no consent any more, whether or not that is written down.
        const seen = list === 'requests' ? all : all.filter(({ permissions }) => permissions.length > 0)
        return {
          me: 'patientId' in own ? own.patientId : own.granteeId,
          consents: await withNames(list, seen, people),
          next: last && value.length > limit ? formatCursor(consentCursorOf(own, last)) : null,
        }
      },
    )
}
