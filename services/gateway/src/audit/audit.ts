// The query of auditors: who did what to which thing, was refused it, or looked at it.
import { auditQueryRules } from '@headwater/deciders/audit/audit-policy'
import { lineOfText, optionalText, personId } from '@headwater/deciders/fields'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { formatCursor } from '@headwater/projections/model/cursor'
import type { PostgresReader } from '@headwater/projections/postgres/reader'
import { type AuditRow, auditOutcomes } from '@headwater/read-models/audit/audit'
import { auditCursorOf, listAudit } from '@headwater/read-models/audit/audit-queries'
import { z } from 'zod'
import { cursor, day, pageSize, problemAnswer } from '../answers.ts'
import { type Names, named, type People } from '../people.ts'
import { after, readAfter } from '../read-after.ts'

const filterLengthMax = 300

/** A form that is sent with an empty field does not ask for it. */
const text = optionalText(lineOfText(filterLengthMax))
const id = optionalText(personId)

const filter = {
  actor: id.meta({ description: 'Who asked: their id at the identity provider, or a client or link of ours.' }),
  action: text.meta({
    description: 'The type of an event, such as `ManuallyApproved`; of a refusal what was asked for.',
    examples: ['POST /api/loans/:id/approve'],
  }),
  outcome: z.enum(auditOutcomes).optional(),
  resource: id.meta({ description: 'The id of what it was about.' }),
  correlationId: text.meta({ description: 'The id of the trace, as in `traceparent`.' }),
  from: day.meta({ description: 'The first day (UTC).' }),
  to: day.meta({ description: 'The last day (UTC).' }),
}

const entry = z
  .object({
    eventId: z.string(),
    at: z.iso.datetime(),
    actor: z.string(),
    actorName: z.string().optional().meta({ description: 'What they are called, where that is known.' }),
    action: z.string(),
    resource: z.string().nullable(),
    outcome: z.enum(auditOutcomes),
    code: z.string().nullable().meta({ description: 'Why it was refused.' }),
    correlationId: z.string().nullable(),
    details: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: 'Of a followed list its name and filter, of a loan the part that was shown.' }),
  })
  .meta({ id: 'AuditEntry' })

const page = z.object({
  entries: z.array(entry),
  next: z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last.' }),
})

const asSeen = ({ details, ...row }: AuditRow, names: Names): z.infer<typeof entry> => ({
  ...row,
  ...named(names, 'actorName', row.actor),
  details: details === null ? null : JSON.parse(details),
})

export const registerAudit = (
  server: HttpServer,
  { reader, people }: { readonly reader: PostgresReader; readonly people: Pick<People, 'namesOf'> },
): void => {
  server.get(
    '/api/audit',
    {
      config: { rules: auditQueryRules.audit, look: { list: 'audit' } },
      schema: {
        tags: ['audit'],
        summary: 'The audit trail, the newest first',
        description: 'What was done, refused and looked at. It names no applicant: only ids, codes and who asked.',
        querystring: z.strictObject({ ...filter, cursor, limit: pageSize, after }),
        response: {
          200: page,
          401: problemAnswer('Nobody is signed in.'),
          403: problemAnswer('Whoever is signed in is no auditor.'),
          422: problemAnswer('Something in the query is not right.'),
          503: problemAnswer('The read model cannot be reached now.'),
        },
      },
    },
    async ({ query: { cursor, limit, after: position, ...wanted } }, reply) => {
      // One more than asked for tells whether there is a next page.
      const query = listAudit(wanted, { after: cursor, limit: limit + 1 })
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
  )
}
