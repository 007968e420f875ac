// Serves Append: a client stream, whose first message names the target and whose others are the events.
import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js'
import type { Guard } from '../security/guard.ts'
import type { Store } from '../store/store.ts'
import type { Calls } from '../wire/calls.ts'
import { type Failure, failureFor, failureOf, invalidArgument } from '../wire/errors.ts'
import { type AppendRequest, decodeAppendRequest } from '../wire/messages.ts'
import { addEvent, type Collected, collect, deadlineAtMs } from './append-rules.ts'
import { encodeAppendSuccess, encodeWrongExpectedVersion } from './replies.ts'

export type AppendCall = ServerReadableStream<Buffer, Buffer>

export const serveAppend =
  (store: Store, calls: Calls, guard: Guard) =>
  (call: AppendCall, reply: sendUnaryData<Buffer>): void => {
    let collected: Collected | undefined
    let answered = false

    const answer = (failed: Failure | null, message?: Buffer): void => {
      if (answered) return
      answered = true
      forget()
      reply(failed, message)
    }
    const forget = calls.add((failed) => answer(failed))

    const take = (request: AppendRequest): Failure | undefined => {
      if (!request) return invalidArgument('The message is neither options nor an event.')
      if ('options' in request) {
        if (collected) return invalidArgument('The options come once, first.')
        const found = collect(request.options)
        if ('kind' in found) return failureFor(found)
        guard.callerOf(call).check('write', found.streamName)
        collected = found
        return undefined
      }
      if (!collected) return invalidArgument('The first message says the stream and the expected revision.')
      const refusal = addEvent(collected, request.event)
      return refusal && failureFor(refusal)
    }

    call.on('data', (bytes: Buffer) => {
      // Messages after a refusal are read and dropped, so that the client can finish.
      if (answered) return
      try {
        const failed = take(decodeAppendRequest(bytes))
        if (failed) answer(failed)
      } catch (error) {
        answer(failureOf(error))
      }
    })
    call.on('cancelled', () => {
      answered = true
      forget()
    })
    call.on('error', () => {})
    call.on('end', () => {
      if (answered) return
      if (!collected) {
        answer(invalidArgument('The append ended before it said a stream.'))
        return
      }
      const { expected, streamName, events, wholeBytes } = collected
      const append = {
        kind: 'append',
        streamName,
        expected,
        events,
        bytes: wholeBytes,
        deadlineAtMs: deadlineAtMs(call),
      } as const
      store.write(append, (outcome) => {
        if (outcome.kind === 'success') answer(null, encodeAppendSuccess(outcome))
        else if (outcome.kind === 'wrong expected revision') {
          answer(null, encodeWrongExpectedVersion({ current: outcome.current, expected }))
        } else answer(failureFor(outcome))
      })
    })
  }
