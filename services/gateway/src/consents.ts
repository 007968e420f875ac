// Queries on consents: who sees my record, who asks for it, whose I see. Each shows the asker's own and nothing else.
import { consentQueryRules } from '@headwater/deciders/consent/consent-policy'
import { validationProblem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import { cursorOf, formatConsentCursor, listConsents, parseConsentCursor } from '@headwater/read-models/consents'
import type { SqliteReader } from '@headwater/read-models/sqlite-reader'
import { z } from 'zod'
import { pageSize, problemAnswer } from './answers.ts'
import { after, readAfter } from './read-after.ts'
import { type ConsentList, consentAt, ownConsents, seenConsent } from './seen-consent.ts'

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

export const registerConsents = (server: HttpServer, reader: SqliteReader): void => {
  for (const { list, url, summary } of lists)
    server.get(
      url,
      {
        config: { rules: consentQueryRules[list] },
        schema: {
          tags: ['consent'],
          summary,
          querystring: z.strictObject({ cursor: z.string().optional(), limit: pageSize, after }),
          response: {
            200: page,
            422: problemAnswer('Something in the query is not right.'),
          },
        },
      },
      async ({ query, allowed }, reply) => {
        const own = ownConsents(list, allowed)
        const { cursor, limit } = query
        const from = cursor === undefined ? undefined : parseConsentCursor(cursor)
        if (cursor !== undefined && !from)
          throw validationProblem([{ field: 'cursor', message: 'a `next` of this API' }])
        // One more than asked for tells whether there is a next page.
        const rows = listConsents(own, { after: from, limit: limit + 1 })
        const { value, headers } = await readAfter(reader, query.after, () => reader.rows(rows))
        reply.headers(headers)
        const shown = value.slice(0, limit)
        const last = shown.at(-1)
        const at = new Date().toISOString()
        const seen = shown.map((row) => consentAt(row, at))
        return {
          me: 'patientId' in own ? own.patientId : own.granteeId,
          // What has come to its end is no consent any more, whether or not that is written down.
          consents: list === 'requests' ? seen : seen.filter(({ permissions }) => permissions.length > 0),
          next: last && value.length > limit ? formatConsentCursor(cursorOf(own, last)) : null,
        }
      },
    )
}
