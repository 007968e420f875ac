// Serves Delete, after which a stream can be recreated, and Tombstone, after which it cannot.
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { Guard } from '../security/guard.ts'
import type { Store } from '../store/store.ts'
import { isMetastream } from '../store/stream-metadata.ts'
import { failureFor, failureOf, Refused } from '../wire/errors.ts'
import { decodeDeleteRequest } from '../wire/messages.ts'
import { collect, deadlineAtMs } from './append-rules.ts'
import { encodeDeleted } from './replies.ts'

const requested = (bytes: Buffer) => {
  const found = collect(decodeDeleteRequest(bytes))
  if ('kind' in found) throw new Refused(found)
  if (isMetastream(found.streamName))
    throw new Refused({ kind: 'bad request', details: 'Metadata is deleted with its stream only.' })
  return found
}

export const serveDelete =
  (store: Store, guard: Guard, kind: 'delete' | 'tombstone') =>
  (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void => {
    try {
      const { streamName, expected } = requested(call.request)
      guard.callerOf(call).check('delete', streamName)
      const write = { kind, streamName, expected, events: [], deadlineAtMs: deadlineAtMs(call), bytes: 0 }
      store.write(write, (outcome) => {
        if (outcome.kind === 'success') reply(null, encodeDeleted(outcome.position ?? store.head()))
        else if (outcome.kind === 'wrong expected revision')
          reply(failureFor({ kind: 'wrong expected version', streamName, expected, current: outcome.current }))
        else reply(failureFor(outcome))
      })
    } catch (error) {
      reply(failureOf(error))
    }
  }
