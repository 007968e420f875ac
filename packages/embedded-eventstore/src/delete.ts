// Serves Delete and Tombstone: a stream is deleted so that it may begin again, or for good (§2.7).
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import { collect, deadlineAtMs } from './append-rules.ts'
import { failureOf, invalidArgument, Refused, refusalFailure, wrongExpectedVersion } from './errors.ts'
import { decodeDeleteRequest } from './messages.ts'
import { encodeDeleted } from './replies.ts'
import type { Guard } from './security/guard.ts'
import type { Store } from './store.ts'
import { isMetastream } from './stream-metadata.ts'

const requested = (bytes: Buffer) => {
  const found = collect(decodeDeleteRequest(bytes))
  if ('kind' in found) throw new Refused(refusalFailure(found))
  if (isMetastream(found.streamName)) throw new Refused(invalidArgument('Metadata is deleted with its stream only.'))
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
          reply(wrongExpectedVersion(streamName, expected, outcome.current))
        else reply(refusalFailure(outcome))
      })
    } catch (error) {
      reply(failureOf(error))
    }
  }
