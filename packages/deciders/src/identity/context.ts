// The context of people who sign in with a password of ours.
import { context } from '../context.ts'
import { emailStream, usernameStream, userStream } from './streams.ts'

export const identity = context({ name: 'identity', streams: [userStream, usernameStream, emailStream] })
