// The limits of a write, the same for all methods.

import type { TypedEvent } from '../store/writer.ts'
import type { AppendOptions, Expected, ProposedEvent } from '../wire/messages.ts'
import { uuidBytes } from '../wire/wire.ts'

const appendSizeMaxBytes = 1024 * 1024
// A message is limited to 17 MiB; this limits an append as a whole.
const appendWholeMaxBytes = 16 * 1024 * 1024
export const writeTimeoutMs = 2000

/** The deadline of a write: it is not written after it. */
export const deadlineAtMs = (call: { getDeadline(): Date | number }): number =>
  Math.min(Number(call.getDeadline()), Date.now() + writeTimeoutMs)

const streamNameMaxBytes = 2048
const eventTypeMaxBytes = 2048
const eventOverheadBytes = 128
const nilId = Buffer.alloc(uuidBytes)

export type Refusal =
  | { kind: 'bad request'; details: string }
  | { kind: 'access denied' }
  | { kind: 'stream deleted'; streamName: string }
  | { kind: 'missing required metadata'; property: string }
  | { kind: 'maximum append size exceeded'; maximumBytes: number }
  | { kind: 'timed out' }
  | { kind: 'busy' }
  | { kind: 'not ready' }
  | { kind: 'failed'; reason: string }

export type Collected = {
  streamName: string
  expected: Expected
  events: TypedEvent[]
  dataBytes: number
  wholeBytes: number
}

const badRequest = (details: string): Refusal => ({ kind: 'bad request', details })
const tooLarge = (maximumBytes: number): Refusal => ({ kind: 'maximum append size exceeded', maximumBytes })

export const collect = ({ streamName, expected }: AppendOptions): Collected | Refusal => {
  if (streamName === '') return badRequest('The request names no stream.')
  if (streamName === '$all') return { kind: 'access denied' }
  if (Buffer.byteLength(streamName) > streamNameMaxBytes) {
    return badRequest(`A stream name has at most ${streamNameMaxBytes} bytes.`)
  }
  if (expected === undefined) return badRequest('The request says no expected revision.')
  return { streamName, expected, events: [], dataBytes: 0, wholeBytes: streamName.length }
}

export const addEvent = (collected: Collected, event: ProposedEvent): Refusal | undefined => {
  const { type } = event
  if (type === undefined) return { kind: 'missing required metadata', property: 'type' }
  if (event.contentType === undefined) return { kind: 'missing required metadata', property: 'content-type' }
  if (event.id.equals(nilId)) return badRequest('Empty eventId provided.')
  if (type === '') return badRequest('Empty eventType provided.')
  if (Buffer.byteLength(type) > eventTypeMaxBytes) {
    return badRequest(`An event type has at most ${eventTypeMaxBytes} bytes.`)
  }
  // EventStoreDB counts only the data, and its clients' tests rely on it; the whole is limited separately.
  collected.dataBytes += event.data.length
  collected.wholeBytes += event.data.length + event.customMetadata.length + type.length + eventOverheadBytes
  if (collected.dataBytes > appendSizeMaxBytes) return tooLarge(appendSizeMaxBytes)
  if (collected.wholeBytes > appendWholeMaxBytes) return tooLarge(appendWholeMaxBytes)
  collected.events.push({ ...event, type })
  return undefined
}
