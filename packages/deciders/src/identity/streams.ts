// The streams of identity: a user's, and those that hold a user name or an e-mail address for one user.
import { streamType } from '../stream-type.ts'
import { reservation, reservationEvents } from './reservation.ts'
import { user } from './user.ts'
import { userEvents } from './user-events.ts'

export const userStream = streamType({ category: 'user', events: userEvents, decider: user })
export const usernameStream = streamType({ category: 'username', events: reservationEvents, decider: reservation })
export const emailStream = streamType({ category: 'email', events: reservationEvents, decider: reservation })
