// The events of the audit trail: sign-ins, refusals and views, which no other event records. Names and fields are the storage format.
import { z } from 'zod'
import type { EventOf, EventTypes } from '../event-types.ts'
import type { Actor } from '../policy.ts'
import type { EventStreamType } from '../stream-type.ts'

/** Anonymous callers are not audited: they could fill the trail. */
const actor = z.strictObject({
  kind: z.enum(['person', 'partner', 'capability']),
  sub: z.string(),
  roles: z.array(z.string()).readonly(),
})

const by = { actor, at: z.iso.datetime() }

/** The filter of a list. A search text may name a person: `search` only says that there was one. */
const filter = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).readonly()

/** A partner's question about a consent, with its number within one minute. */
const check = z.strictObject({
  patientId: z.string(),
  grantee: z.strictObject({ kind: z.string(), id: z.string() }),
  target: z.string(),
  count: z.int().min(1),
})

const schemas = {
  RequestRefused: z.strictObject({
    ...by,
    method: z.string(),
    /** The path with parameter names, not values. */
    route: z.string(),
    /** The ID in the request's path, if any. */
    resource: z.uuid().nullable(),
    status: z.int(),
    code: z.string(),
  }),
  /** Further refusals of the actor are only counted, for an hour. */
  RefusalsUnlisted: z.strictObject(by),
  /** An action without an event of its own, such as an operator's. */
  OperationDone: z.strictObject({ ...by, method: z.string(), route: z.string(), resource: z.uuid().nullable() }),
  SignedIn: z.strictObject(by),
  /** The actor is the user whose password was wrong, not necessarily the person who tried. */
  SignInFailed: z.strictObject(by),
  LoanViewed: z.strictObject({ ...by, loanId: z.uuid(), part: z.enum(['detail', 'history']) }),
  NationalIdRevealed: z.strictObject({ ...by, loanId: z.uuid() }),
  ListFollowed: z.strictObject({ ...by, list: z.string(), filter }),
  /** The checks of one partner in the minute that begins at `at`. */
  ConsentsChecked: z.strictObject({ ...by, checks: z.array(check).readonly() }),
}

/** The events of an `audit-<day>` stream, one schema per type. No field is personal data of an applicant. */
export const auditEvents = { schemas, upcasts: {} } satisfies EventTypes
export type AuditEvent = EventOf<typeof auditEvents>

/** One stream per day, to which every service writes. Without a decider: no event is refused. */
export const auditStream: EventStreamType<AuditEvent> = { category: 'audit', events: auditEvents }

export type AuditedCheck = z.infer<typeof check>

/** The actor of an audit event. */
export type AuditedActor = z.infer<typeof actor>

/** The actor as recorded; undefined for actors that are not audited. */
export const auditedActor = ({ kind, sub, roles }: Actor): AuditedActor | undefined =>
  kind === 'anonymous' ? undefined : { kind, sub, roles }

/** A filter as recorded. */
export type AuditedFilter = z.infer<typeof filter>

/** Removes search texts and empty fields. */
export const auditedFilter = (asked: Readonly<Record<string, unknown>>): AuditedFilter =>
  Object.fromEntries(
    Object.entries(asked).flatMap(([name, value]): [string, string | number | boolean][] => {
      if (value === undefined || value === '') return []
      if (name === 'search') return [[name, true]]
      return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : []
    }),
  )
