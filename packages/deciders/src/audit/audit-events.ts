// What people did besides what other events tell: that they signed in, what they were refused, and what they looked at. Names and fields are the storage format.
import { z } from 'zod'
import type { EventOf, EventTypes } from '../event-types.ts'
import type { Actor } from '../policy.ts'
import type { EventStreamType } from '../stream-type.ts'

/** Whoever is not signed in is not audited: anybody could fill the trail. */
const actor = z.strictObject({
  kind: z.enum(['person', 'partner', 'capability']),
  sub: z.string(),
  roles: z.array(z.string()).readonly(),
})

const by = { actor, at: z.iso.datetime() }

/** What a list was narrowed down by. What was searched for may name a person: `search` says only that something was. */
const filter = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).readonly()

/** What a partner asked about consents, and how often within one minute. */
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
    /** With the names of its parameters, not their values. */
    route: z.string(),
    /** The id of what the request was about, where its address named one. */
    resource: z.uuid().nullable(),
    status: z.int(),
    code: z.string(),
  }),
  /** From here on what the actor is refused is only counted, for an hour. */
  RefusalsUnlisted: z.strictObject(by),
  /** Something that leads to no event of its own, such as what operators do. */
  OperationDone: z.strictObject({ ...by, method: z.string(), route: z.string(), resource: z.uuid().nullable() }),
  SignedIn: z.strictObject(by),
  /** The actor is whom somebody tried to sign in as, with a wrong password. */
  SignInFailed: z.strictObject(by),
  LoanViewed: z.strictObject({ ...by, loanId: z.uuid(), part: z.enum(['detail', 'history']) }),
  NationalIdRevealed: z.strictObject({ ...by, loanId: z.uuid() }),
  ListFollowed: z.strictObject({ ...by, list: z.string(), filter }),
  /** By one partner in the minute that begins at `at`. */
  ConsentsChecked: z.strictObject({ ...by, checks: z.array(check).readonly() }),
}

/** The events an `audit-<day>` stream may hold, a schema a type. No field belongs to a person who applies. */
export const auditEvents = { schemas, upcasts: {} } satisfies EventTypes
export type AuditEvent = EventOf<typeof auditEvents>

/** A stream a day, which every service writes to. No decider: nothing is refused. */
export const auditStream: EventStreamType<AuditEvent> = { category: 'audit', events: auditEvents }

export type AuditedCheck = z.infer<typeof check>

/** Who is audited. */
export type AuditedActor = z.infer<typeof actor>

/** The actor as written down; undefined for whoever is not. */
export const auditedActor = ({ kind, sub, roles }: Actor): AuditedActor | undefined =>
  kind === 'anonymous' ? undefined : { kind, sub, roles }

/** A filter as it may be written down. */
export type AuditedFilter = z.infer<typeof filter>

/** Without what was searched for, and without what says nothing. */
export const auditedFilter = (asked: Readonly<Record<string, unknown>>): AuditedFilter =>
  Object.fromEntries(
    Object.entries(asked).flatMap(([name, value]): [string, string | number | boolean][] => {
      if (value === undefined || value === '') return []
      if (name === 'search') return [[name, true]]
      return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : []
    }),
  )
