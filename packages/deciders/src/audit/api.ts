// The API of the audit trail.
import { z } from 'zod'
import { api } from '../api.ts'
import { lineOfText, optionalText, personId } from '../fields.ts'
import { role } from '../policy.ts'
import { after, cursor, day, next, pageSize } from '../query-fields.ts'

const filterLengthMax = 300

/** The outcome of an audited action. */
export const auditOutcomes = ['accepted', 'refused', 'viewed'] as const

/** Empty fields of a form do not filter. */
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

const auditEntry = z
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
export type AuditEntry = z.infer<typeof auditEntry>

export const auditApi = api({
  statuses: {},
  commands: {},
  queries: {
    audit: {
      path: '/api/audit',
      summary: 'The audit trail, the newest first',
      description: 'What was done, refused and looked at. It names no applicant: only ids, codes and who asked.',
      rules: [role('auditor')],
      query: z.strictObject({ ...filter, cursor, limit: pageSize, after }),
      answer: z.object({ entries: z.array(auditEntry), next }),
      refusals: { 422: 'Something in the query is not right.', 503: 'The read model cannot be reached now.' },
    },
  },
  topics: {},
})
