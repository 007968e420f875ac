// Tracks open calls, so that stopping can end them, and lets a sender wait for a slow reader.

import type { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { Failure } from './errors.ts'

/** Accepts messages; an 'error' event ends it with a failure. */
export type ReadCall = Writable & { readonly cancelled: boolean }
export type BatchCall = ServerDuplexStream<Buffer, Buffer>

export type Calls = ReturnType<typeof createCalls>

export const createCalls = () => {
  const open = new Set<(failure: Failure) => void>()
  return {
    // Returns a function to call when the call has ended.
    add: (end: (failure: Failure) => void): (() => void) => {
      open.add(end)
      return () => open.delete(end)
    },
    endAll: (failure: Failure): void => {
      for (const end of [...open]) end(failure)
    },
  }
}

// grpc-js turns an 'error' event into the call's status and trailers.
export const fail = (call: ReadCall | BatchCall, failure: Failure): void => {
  if (!call.cancelled && !call.destroyed && !call.writableEnded) call.emit('error', failure)
}

export const isOver = (call: ReadCall): boolean => call.cancelled || call.destroyed || call.writableEnded

// Waits for a slow reader, and always lets other work run.
export const breathe = async (call: ReadCall): Promise<void> => {
  if (!call.writableNeedDrain || isOver(call)) {
    await setImmediate()
    return
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  const events = ['drain', 'close', 'cancelled', 'finish']
  for (const event of events) call.once(event, resolve)
  await promise
  for (const event of events) call.removeListener(event, resolve)
}
