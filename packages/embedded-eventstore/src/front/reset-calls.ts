// Keeps a call that its client reset at once from ending the process.

import type { Http2Stream, IncomingHttpHeaders } from 'node:http2'
import type { Server } from '@grpc/grpc-js'

type Handler = (interceptors: unknown, stream: Http2Stream, headers: IncomingHttpHeaders) => void

/**
 * grpc-js 1.14.7 answers methods that it does not know, and calls that are no gRPC, by `stream.respond()`, which throws when the
 * reset has come with the call; nobody can catch that. Such a call is dropped instead: nobody waits for its answer.
 */
export const dropResetCalls = (server: Server): void => {
  const internals = server as unknown as Record<'_streamHandler' | '_channelzHandler', Handler>
  for (const name of ['_streamHandler', '_channelzHandler'] as const) {
    const handle = internals[name]
    internals[name] = function (this: Server, interceptors, stream, headers) {
      if (!stream.destroyed) handle.call(this, interceptors, stream, headers)
    }
  }
}
