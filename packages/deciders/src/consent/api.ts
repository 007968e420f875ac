// The API of consents.
import { z } from 'zod'
import { api } from '../api.ts'
import { field, personId } from '../fields.ts'
import { partner, type Rules, role, signedIn } from '../policy.ts'
import { after, cursor, next, pageSize } from '../query-fields.ts'
import {
  askConsentInput,
  declineConsentInput,
  grantConsentInput,
  granteeInput,
  registerContactInput,
  revokeConsentInput,
} from './patient.ts'
import { granteeKinds, targets } from './patient-events.ts'

/** The roles in which a person may ask to see another's record. */
const grantees: Rules = granteeKinds.map(role)
/** Every person has a record and decides about their own; requests never name its owner. */
const patients: Rules = [signedIn]

const target = z.enum(targets).meta({ description: 'A part of the record; `all` covers every part.' })
const instant = z.string().meta({ examples: ['2026-11-21T09:30:00.000Z'] })
const grantee = z.object({ kind: z.enum(granteeKinds), id: z.string() })

export const seenConsent = z
  .object({
    consentId: z.string(),
    patientId: z.string(),
    patientName: z.string().optional().meta({ description: 'In lists, for whom the patient lets see something.' }),
    granteeName: z
      .string()
      .optional()
      .meta({ description: 'In lists and histories, for the patient whom they asked.' }),
    grantee,
    permissions: z
      .array(z.object({ target, grantedAt: instant, until: instant.nullable() }))
      .meta({ description: 'The newest first.' }),
    requests: z
      .array(z.object({ target, purpose: z.string().nullable(), askedAt: instant }))
      .meta({ description: 'Not answered yet, the newest first.' }),
  })
  .meta({ id: 'Consent' })
export type SeenConsent = z.infer<typeof seenConsent>

const consentPage = z.object({
  me: z.string().meta({ description: 'Your own id, which others need to grant you something or to ask you.' }),
  consents: z.array(seenConsent),
  next,
})

/** Loose: events of older and newer releases are shown as stored. */
const happened = <const Types extends readonly [string, ...string[]], Data extends z.ZodRawShape>(
  types: Types,
  data: Data,
) =>
  z.object({
    type: z.enum(types),
    recordedAt: z.iso.datetime(),
    data: z.looseObject(data).meta({ description: 'The event.' }),
  })

export const consentHistory = z.object({
  grantee,
  granteeName: z.string().optional().meta({ description: 'What they are called, where they asked and that is known.' }),
  events: z.array(
    z
      .discriminatedUnion('type', [
        happened(['ConsentAsked'], { target, purpose: z.string().nullable() }),
        happened(['ConsentGranted'], { target, until: z.string().nullable() }),
        happened(['ConsentRevoked', 'ConsentDeclined', 'ConsentExpired'], { target }),
      ])
      .meta({ id: 'ConsentHistoryEvent' }),
  ),
  complete: z.boolean().meta({ description: 'False when there is more than can be read at once.' }),
})
export type ConsentHistory = z.infer<typeof consentHistory>

const list = (path: string, summary: string, rules: Rules) =>
  ({
    path,
    summary,
    rules,
    query: z.strictObject({ cursor, limit: pageSize, after }),
    answer: consentPage,
    refusals: { 422: 'Something in the query is not right.' },
  }) as const

export const consentApi = api({
  statuses: { until_not_in_future: 422, no_such_grantee: 422, directory_unavailable: 503 },
  commands: {
    ask: {
      path: '/api/consents/ask',
      summary: 'Ask a patient for consent',
      description:
        'For doctors, nurses and other patients, in their own name. The answer is the same whether or not there is such a patient, and its revision always 0. Patients see requests on their page, and get a mail where an address is known.',
      rules: grantees,
      input: askConsentInput,
    },
    grant: {
      path: '/api/consents/grant',
      summary: 'Share a part of your record',
      description:
        'Whether or not they asked; `no_such_grantee` where the directory of people knows no such person in this role. The same again with another end replaces what stands.',
      rules: patients,
      input: grantConsentInput,
    },
    revoke: {
      path: '/api/consents/revoke',
      summary: 'Take a consent back',
      description: 'While `all` stands only that can be revoked, which leaves nothing.',
      rules: patients,
      input: revokeConsentInput,
    },
    decline: {
      path: '/api/consents/decline',
      summary: 'Decline a request to see your record',
      description: 'They may ask again.',
      rules: patients,
      input: declineConsentInput,
    },
    contact: {
      path: '/api/consents/contact',
      summary: 'Where news is sent; called at sign-in with the address that the identity provider has verified',
      rules: patients,
      input: registerContactInput,
      internal: true,
    },
  },
  queries: {
    consents: list('/api/consents', 'Who sees which part of your record', patients),
    requests: list('/api/consents/requests', 'Who asks to see your record', patients),
    granted: list('/api/consents/granted', 'Whose records you may see', grantees),
    history: {
      path: '/api/consents/:id/history',
      summary: 'History of your consents to one person',
      description: 'Read from the event store itself, the oldest first.',
      rules: patients,
      params: z.object({ id: field('consent id', z.string().regex(/^[\w-]{1,64}$/)) }),
      query: z.strictObject({}),
      answer: consentHistory,
      refusals: {
        404: 'There is no such consent of yours.',
        503: 'Whether there is such a consent of yours is not known here yet.',
      },
    },
    check: {
      method: 'POST',
      path: '/api/consents/check',
      summary: 'May this person see this part of the record, now?',
      description:
        'For partners with the scope `consents:check`. Answered only while it is certain that everything granted and revoked is known here; otherwise 503, and `knownAt` says up to when it is.',
      rules: [partner('consents:check')],
      // In the body, because paths with names would reach logs.
      body: z.strictObject({
        patientId: personId.meta({ description: 'Whose record.' }),
        grantee: granteeInput.meta({ description: 'Who wants to see it, and in which role.' }),
        target: z.enum(targets).default('all').meta({ description: 'Which part; `all` is every part.' }),
      }),
      answer: z.object({
        hasConsent: z.boolean(),
        at: z.iso.datetime().meta({ description: 'The moment for which this holds.' }),
      }),
      refusals: { 503: 'What stands now is not known here. Nothing may be shown on the strength of this.' },
    },
  },
  topics: {
    consents: { rules: patients, filter: z.strictObject({}).prefault({}) },
    'consent-requests': { rules: patients, filter: z.strictObject({}).prefault({}) },
    'granted-consents': { rules: grantees, filter: z.strictObject({}).prefault({}) },
  },
})
