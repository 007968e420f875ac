// Corrects how grpc-js answers unknown calls: a reset must not end the process, and the status text must be EventStoreDB's.

import type { Http2Stream, IncomingHttpHeaders } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { type Failure, failureFor } from '../wire/errors.ts'

type Handler = (interceptors: unknown, stream: Http2Stream, headers: IncomingHttpHeaders) => void
type Internals = Record<'_streamHandler' | '_channelzHandler', Handler> & {
  readonly handlers: ReadonlyMap<string, unknown>
  _respondWithError: (failed: Pick<Failure, 'details'>, ...more: unknown[]) => void
}

/**
 * grpc-js 1.14.7 answers unknown methods, and calls without gRPC, by `stream.respond()`, which throws when the reset
 * arrives with the call; that cannot be caught. Such a call is dropped instead: no client waits for its answer.
 */
export const dropResetCalls = (server: Server): void => {
  const internals = server as unknown as Internals
  for (const name of ['_streamHandler', '_channelzHandler'] as const) {
    const handle = internals[name]
    internals[name] = function (this: Server, interceptors, stream, headers) {
      if (!stream.destroyed) handle.call(this, interceptors, stream, headers)
    }
  }
}

/** Replaces grpc-js' text for unknown methods. */
export const nameUnimplemented = (server: Server): void => {
  const internals = server as unknown as Internals
  const respond = internals._respondWithError
  internals._respondWithError = function (this: Server, { details }, ...more) {
    const service = /[^ ]*\//.exec(details)?.[0] ?? ''
    const isKnown = internals.handlers.keys().some((path) => path.startsWith(service))
    respond.call(this, failureFor({ kind: isKnown ? 'unimplemented method' : 'unimplemented service' }), ...more)
  }
}
