// The events of a user. Names and fields are the storage format: change them only by a new event or an upcast.
import { z } from 'zod'
import type { EventOf, EventTypes } from '../event-types.ts'

/** Marks a field with personal data, which must be erasable. */
const personal = { personal: true }

const userId = z.uuid()
const instant = z.iso.datetime()

const schemas = {
  UserRegistered: z.strictObject({
    userId,
    userName: z.string().meta(personal),
    name: z.string().meta(personal),
    email: z.string().meta(personal),
    roles: z.array(z.string()),
    registeredAt: instant,
  }),
  /** The registration was not finished and another user needs its reservation: it can no longer be finished. */
  RegistrationAbandoned: z.strictObject({ userId, abandonedAt: instant }),
  EmailChanged: z.strictObject({ userId, email: z.string().meta(personal), changedAt: instant }),
  /** Releases an identifier that this user reserved but does not use, because another user needs it. */
  IdentifierAbandoned: z.strictObject({ userId, abandonedAt: instant }),
  PasswordChanged: z.strictObject({ userId, changedAt: instant }),
  UserDisabled: z.strictObject({ userId, disabledBy: z.string(), disabledAt: instant }),
}

/** The events of a `user-<id>` stream, one schema per type. None has a password or a hash. */
export const userEvents = { schemas, upcasts: {} } satisfies EventTypes
export type UserEvent = EventOf<typeof userEvents>
