// Authorizes actions: by the access lists of streams, by their defaults, by groups.
import type { StreamAcl } from '../store/stream-metadata.ts'
import { isMetastream, originalOf } from '../store/stream-metadata.ts'
import type { User } from './users.ts'

/** The first three apply to a stream, `read` also to `$all`. */
export type Action =
  | 'read'
  | 'write'
  | 'delete'
  | 'connect to persistent subscriptions'
  | 'manage persistent subscriptions'
  | 'describe persistent subscriptions'
  | 'use projections'
  | 'manage projections'
  | 'shut down'

/** The defaults in `$settings` for streams without their own list. */
export type DefaultAcls = { readonly userStreams: StreamAcl; readonly systemStreams: StreamAcl }

/** A stream's own list, and the defaults, both current. */
export type Acls = { of: (streamName: string) => StreamAcl | undefined; defaults: () => DefaultAcls }

const everybody = '$all'
const admins = '$admins'
const operators = '$ops'

const builtIn = (role: string): Required<StreamAcl> => ({
  read: [role],
  write: [role],
  delete: [role],
  metaRead: [role],
  metaWrite: [role],
})
const builtInOfUserStreams = builtIn(everybody)
const builtInOfSystemStreams = builtIn(admins)

// A name counts as a group of one.
const isIn = (user: User, role: string): boolean => user.name === role || user.groups.includes(role)

const mayOnStream = (user: User, action: 'read' | 'write' | 'delete', streamName: string, acls: Acls): boolean => {
  if (isMetastream(streamName)) {
    // Metadata is deleted with its stream, not separately.
    return (
      action !== 'delete' && mayBy(user, action === 'read' ? 'metaRead' : 'metaWrite', originalOf(streamName), acls)
    )
  }
  return mayBy(user, action, streamName, acls)
}

const mayBy = (user: User, list: keyof StreamAcl, streamName: string, acls: Acls): boolean => {
  // $all is only a view of all streams: it cannot be written or deleted.
  if (streamName === '$all' && (list === 'write' || list === 'delete')) return false
  if (isIn(user, admins)) return true
  const isSystem = streamName.startsWith('$')
  const { userStreams, systemStreams } = acls.defaults()
  const roles =
    acls.of(streamName)?.[list] ??
    (isSystem ? systemStreams : userStreams)[list] ??
    (isSystem ? builtInOfSystemStreams : builtInOfUserStreams)[list]
  return roles.some((role) => role === everybody || isIn(user, role))
}

/**
 * Denies anonymous callers all these actions; public methods (supported methods, gossip) do not ask.
 * @param streamName the stream concerned; `$all` for a persistent subscription to it
 */
export const may = (user: User | undefined, action: Action, streamName: string, acls: Acls): boolean => {
  if (!user) return false
  switch (action) {
    case 'read':
    case 'write':
    case 'delete':
      return mayOnStream(user, action, streamName, acls)
    case 'connect to persistent subscriptions':
      return mayOnStream(user, 'read', streamName, acls)
    case 'describe persistent subscriptions':
    case 'use projections':
      return true
    case 'manage persistent subscriptions':
    case 'manage projections':
    case 'shut down':
      return isIn(user, operators) || isIn(user, admins)
  }
}
