// Authenticates the callers of the services and checks their rights.
import { type Metadata, ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from '@grpc/grpc-js'
import { decodeRecord } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import {
  isMetastream,
  metastreamOf,
  originalOf,
  parseObject,
  readAcl,
  type StreamAcl,
} from '../store/stream-metadata.ts'
import { type Failure, failureFor, Refused } from '../wire/errors.ts'
import { type Acls, type Action, type DefaultAcls, may } from './access.ts'
import { type SignIn, TooManySignIns, type User } from './users.ts'

export type Caller = {
  /** Undefined for an anonymous caller. */
  readonly user: User | undefined
  /** `streamName` is omitted for actions without a stream. */
  may(action: Action, streamName?: string): boolean
  /** @throws Refused with access-denied */
  check(action: Action, streamName?: string): void
  /** Calls `denied` when `action` is no longer allowed. @returns a function that ends the watch */
  watch(action: Action, streamName: string, denied: (failure: Failure) => void): () => void
}

export type Guard = {
  /** The caller of a gRPC call that has passed the interceptors. */
  callerOf(call: { metadata: Metadata }): Caller
  interceptors: ServerInterceptor[]
  /** Signs in by an Authorization header; undefined for a wrong name or password. @throws TooManySignIns */
  signIn(authorization: string | undefined): Promise<Caller | undefined>
}

const anybody: Caller = { user: undefined, may: () => true, check: () => {}, watch: () => () => {} }

/** Allows everything, for a node without TLS. */
export const openGuard: Guard = {
  callerOf: () => anybody,
  interceptors: [],
  signIn: async () => anybody,
}

const settingsStream = '$settings'

const aclOf = (value: unknown): StreamAcl => {
  try {
    return readAcl(value) ?? {}
  } catch {
    return {}
  }
}

const createAcls = ({ names, pages }: Store): Acls => {
  let revision = -1
  let defaults: DefaultAcls = { userStreams: {}, systemStreams: {} }
  return {
    of: (streamName) => names.head(streamName).metadata.acl,
    defaults: () => {
      const head = names.head(settingsStream)
      if (head.revision === revision) return defaults
      revision = head.revision
      const row = head.stream === undefined ? undefined : pages.atRevision(head.stream, revision)
      const settings = row ? parseObject(decodeRecord(row[4]).data) : undefined
      defaults = {
        userStreams: aclOf(settings?.$userStreamAcl),
        systemStreams: aclOf(settings?.$systemStreamAcl),
      }
      return defaults
    },
  }
}

export const createGuard = (store: Store, signIn: SignIn): Guard => {
  const acls = createAcls(store)
  const callers = new WeakMap<Metadata, Caller>()

  const createCaller = (user: User | undefined): Caller => {
    const mayNow: Caller['may'] = (action, streamName = '') => may(user, action, streamName, acls)
    return {
      user,
      may: mayNow,
      check: (action, streamName) => {
        if (!mayNow(action, streamName)) throw new Refused({ kind: 'access denied' })
      },
      watch: (action, streamName, denied) => {
        const again = (): void => {
          if (!mayNow(action, streamName)) denied(failureFor({ kind: 'access denied' }))
        }
        const original = isMetastream(streamName) ? originalOf(streamName) : streamName
        const unwatch = [metastreamOf(original), settingsStream].map((name) => store.watchStream(name, again))
        return () => {
          for (const end of unwatch) end()
        }
      },
    }
  }
  const anonymous = createCaller(undefined)

  const signedIn: Guard['signIn'] = async (authorization) => {
    if (authorization === undefined) return anonymous
    const user = await signIn(authorization)
    return user && createCaller(user)
  }

  const refuse = (call: { sendStatus(status: Failure): void }, error: unknown): void =>
    call.sendStatus(failureFor(error instanceof TooManySignIns ? { kind: 'busy' } : { kind: 'wrong credentials' }))

  // Once per call, before its handler.
  const interceptor: ServerInterceptor = (_, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, go) => {
          const [authorization] = metadata.get('authorization')
          signedIn(authorization?.toString()).then(
            (caller) => {
              if (!caller) return refuse(call, undefined)
              callers.set(metadata, caller)
              return go(metadata)
            },
            (error: unknown) => refuse(call, error),
          )
        })
        next(listener.build())
      },
    })

  return {
    callerOf: ({ metadata }) => callers.get(metadata) ?? anonymous,
    interceptors: [interceptor],
    signIn: signedIn,
  }
}
