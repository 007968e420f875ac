// The events of a patient's consents. Names and fields are the storage format: change them only by a new event or an upcast.
import { z } from 'zod'
import type { EventOf, EventTypes } from '../event-types.ts'
import { personKey } from '../fields.ts'

/** Marks a field with personal data, which must be erasable. */
const personal = { personal: true }

export const granteeKinds = ['patient', 'doctor', 'nurse'] as const
export const targets = ['exams', 'conditions', 'consultations', 'er_visits', 'all'] as const

export const granteeKind = z.enum(granteeKinds)
/** As stored. patient.ts checks input. */
const personId = z.string()
export const grantee = z.strictObject({ kind: granteeKind, id: personId })
export const target = z.enum(targets)

const instant = z.iso.datetime()
const until = instant.nullable()
const patientId = personId

const schemas = {
  ConsentAsked: z.strictObject({
    patientId,
    by: grantee,
    target,
    purpose: z.string().nullable().meta(personal),
    askedAt: instant,
  }),
  ConsentGranted: z.strictObject({ patientId, to: grantee, target, until, grantedAt: instant }),
  ConsentRevoked: z.strictObject({ patientId, from: grantee, target, revokedAt: instant }),
  ConsentDeclined: z.strictObject({ patientId, by: grantee, target, declinedAt: instant }),
  ConsentExpired: z.strictObject({ patientId, from: grantee, target, until: instant, expiredAt: instant }),
  ContactRegistered: z.strictObject({ patientId, email: z.string().meta(personal), registeredAt: instant }),
}

/** The events of a `patient-<id>` stream, one schema per type. */
export const patientEvents = { schemas, upcasts: {} } satisfies EventTypes
export type PatientEvent = EventOf<typeof patientEvents>

/** A person who may be granted access to a record. */
export type Grantee = z.infer<typeof grantee>
export type GranteeKind = Grantee['kind']

/** A part of a record; `all` includes future parts. */
export type Target = z.infer<typeof target>

/** The person the event concerns besides the patient, if any. */
export const granteeOf = (event: PatientEvent): Grantee | undefined => {
  switch (event.type) {
    case 'ConsentAsked':
    case 'ConsentDeclined':
      return event.data.by
    case 'ConsentGranted':
      return event.data.to
    case 'ConsentRevoked':
    case 'ConsentExpired':
      return event.data.from
    case 'ContactRegistered':
      return undefined
  }
}

/** Identifies a grantee: the same person as a doctor and as a patient is two grantees. */
export const granteeKey = ({ kind, id }: Grantee): string => `${kind}:${personKey(id)}`
