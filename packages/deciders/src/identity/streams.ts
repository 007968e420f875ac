// The streams of identity: users, and reservations of user names and e-mail addresses.
import { streamType } from '../stream-type.ts'
import { reservation, reservationEvents } from './reservation.ts'
import { user } from './user.ts'
import { userEvents } from './user-events.ts'

export const userStream = streamType({ category: 'user', events: userEvents, decider: user })
export const usernameStream = streamType({ category: 'username', events: reservationEvents, decider: reservation })
export const emailStream = streamType({ category: 'email', events: reservationEvents, decider: reservation })
