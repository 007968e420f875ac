// What can have happened to a user. Names and fields are the storage format: change them only by a new event or an upcast.
import { z } from 'zod'
import type { EventOf, EventTypes } from '../event-types.ts'

/** Marks a field of an event that belongs to a person and must be erasable. */
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
  /** Somebody else wanted what this registration had reserved, and it did not come to its end. */
  RegistrationAbandoned: z.strictObject({ userId, abandonedAt: instant }),
  EmailChanged: z.strictObject({ userId, email: z.string().meta(personal), changedAt: instant }),
  /** Somebody else wanted what this user had reserved, such as an e-mail address, and does not have. */
  IdentifierAbandoned: z.strictObject({ userId, abandonedAt: instant }),
  PasswordChanged: z.strictObject({ userId, changedAt: instant }),
  UserDisabled: z.strictObject({ userId, disabledBy: z.string(), disabledAt: instant }),
}

/** The events a `user-<id>` stream may hold, a schema a type. Passwords and their hashes are in none of them. */
export const userEvents = { schemas, upcasts: {} } satisfies EventTypes
export type UserEvent = EventOf<typeof userEvents>
