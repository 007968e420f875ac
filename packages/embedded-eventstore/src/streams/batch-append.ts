// Serves BatchAppend: a bidirectional stream with many concurrent appends, each under a correlation ID.

import type { Guard } from '../security/guard.ts'
import type { Store } from '../store/store.ts'
import { type BatchCall, type Calls, fail } from '../wire/calls.ts'
import { failureOf, invalidArgument } from '../wire/errors.ts'
import { type BatchAppendRequest, decodeBatchAppendRequest } from '../wire/messages.ts'
import { addEvent, type Collected, collect, type Refusal, writeTimeoutMs } from './append-rules.ts'
import { encodeBatchRefusal, encodeBatchSuccess, encodeBatchWrongExpectedVersion } from './replies.ts'

// Limit per call of requests that are being written or whose answers wait for the client; above it the call is not read.
const inFlightMax = 1024
// Limit per call of appends without their last chunk.
const unfinishedMax = 256
const unfinishedBytesMax = 64 * 1024 * 1024

const accessDenied: Refusal = { kind: 'access denied' }

type Unfinished = {
  correlationId: Buffer
  collected: Collected
  deadlineAtMs: number
  timer: NodeJS.Timeout | undefined
}

export const serveBatchAppend =
  (store: Store, calls: Calls, guard: Guard) =>
  (call: BatchCall): void => {
    const caller = guard.callerOf(call)
    const unfinished = new Map<string, Unfinished>()
    let unfinishedBytes = 0
    let inFlight = 0
    let ended = false
    const forget = calls.add((failed) => fail(call, failed))

    const send = (message: Buffer): void => {
      if (!call.cancelled && !call.writableEnded) call.write(message)
    }
    const refuse = (correlationId: Buffer, streamName: string, refusal: Refusal): void =>
      send(encodeBatchRefusal({ correlationId, streamName }, refusal))

    const resume = (): void => {
      if (inFlight + call.writableLength < inFlightMax && call.isPaused()) call.resume()
    }
    const endWhenDone = (): void => {
      if (ended && inFlight === 0 && !call.writableEnded) call.end()
    }

    const remove = (key: string): void => {
      const found = unfinished.get(key)
      if (!found) return
      clearTimeout(found.timer)
      unfinishedBytes -= found.collected.wholeBytes
      unfinished.delete(key)
    }

    const write = ({ correlationId, collected, deadlineAtMs }: Unfinished): void => {
      const { streamName, expected, events, wholeBytes } = collected
      const reply = { correlationId, streamName }
      inFlight++
      if (inFlight + call.writableLength >= inFlightMax) call.pause()
      store.write({ kind: 'append', streamName, expected, events, bytes: wholeBytes, deadlineAtMs }, (outcome) => {
        inFlight--
        if (outcome.kind === 'success') send(encodeBatchSuccess(reply, outcome))
        else if (outcome.kind === 'wrong expected revision') {
          send(encodeBatchWrongExpectedVersion(reply, { current: outcome.current, expected }))
        } else send(encodeBatchRefusal(reply, outcome))
        resume()
        endWhenDone()
      })
    }

    const open = (key: string, correlationId: Buffer, request: BatchAppendRequest): Unfinished | undefined => {
      const known = unfinished.get(key)
      // A later chunk of a request that was refused or timed out: it is already answered.
      if (known || !request.options) return known
      const { options } = request
      const collected = caller.may('write', options.streamName) ? collect(options) : accessDenied
      if ('kind' in collected) {
        refuse(correlationId, options.streamName, collected)
        return undefined
      }
      const now = Date.now()
      const deadlineAtMs = Math.min(options.deadlineAtMs ?? Number.POSITIVE_INFINITY, now + writeTimeoutMs)
      const opened: Unfinished = { correlationId, collected, deadlineAtMs, timer: undefined }
      if (deadlineAtMs <= now) {
        refuse(correlationId, options.streamName, { kind: 'timed out' })
        return undefined
      }
      unfinished.set(key, opened)
      unfinishedBytes += collected.wholeBytes
      return opened
    }

    const take = (request: BatchAppendRequest): void => {
      const { correlationId, events, isFinal } = request
      if (!correlationId) {
        fail(call, invalidArgument('An append of a batch has a correlation id.'))
        return
      }
      const key = correlationId.toString('latin1')
      const found = open(key, correlationId, request)
      if (!found) return
      const { collected } = found
      const before = collected.wholeBytes
      let refusal: Refusal | undefined
      for (const event of events) refusal ??= addEvent(collected, event)
      unfinishedBytes += collected.wholeBytes - before
      if (!isFinal && (unfinished.size > unfinishedMax || unfinishedBytes > unfinishedBytesMax)) {
        refusal ??= { kind: 'busy' }
      }
      if (refusal) {
        remove(key)
        refuse(correlationId, collected.streamName, refusal)
      } else if (isFinal) {
        remove(key)
        write(found)
      } else {
        found.timer ??= setTimeout(() => {
          remove(key)
          refuse(correlationId, collected.streamName, { kind: 'timed out' })
        }, found.deadlineAtMs - Date.now())
      }
    }

    const over = (): void => {
      forget()
      for (const key of [...unfinished.keys()]) remove(key)
    }

    call.on('data', (bytes: Buffer) => {
      if (call.writableEnded) return
      try {
        take(decodeBatchAppendRequest(bytes, Date.now()))
      } catch (error) {
        fail(call, failureOf(error))
      }
    })
    call.on('drain', resume)
    call.on('end', () => {
      ended = true
      endWhenDone()
    })
    call.on('finish', over)
    call.on('cancelled', over)
    call.on('close', over)
  }
