// The context of users who sign in with a password at our identity provider.
import { context } from '../context.ts'
import { emailStream, usernameStream, userStream } from './streams.ts'

export const identity = context({ name: 'identity', streams: [userStream, usernameStream, emailStream] })
