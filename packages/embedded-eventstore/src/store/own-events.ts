// Writes of the node itself: into streams that clients can read, without a deadline.
import { randomBytes } from 'node:crypto'
import { uuidBytes } from '../wire/wire.ts'
import { metastreamOf } from './stream-metadata.ts'
import type { TypedEvent, Write } from './writer.ts'

const ownEvent = (type: string, contentType: string, data: string, metadata: object | undefined): TypedEvent => ({
  id: randomBytes(uuidBytes),
  type,
  contentType,
  customMetadata: Buffer.from(metadata ? JSON.stringify(metadata) : ''),
  data: Buffer.from(data),
})

export const jsonEvent = (type: string, data: unknown, metadata?: object): TypedEvent =>
  ownEvent(type, 'application/json', JSON.stringify(data), metadata)

/** An event with plain text, such as a link. */
export const textEvent = (type: string, data: string, metadata?: object): TypedEvent =>
  ownEvent(type, 'application/octet-stream', data, metadata)

export const ownAppend = (streamName: string, events: TypedEvent[]): Write => ({
  kind: 'append',
  streamName,
  expected: 'any',
  events,
  deadlineAtMs: Number.POSITIVE_INFINITY,
  bytes: events.reduce((sum, { data, customMetadata }) => sum + data.length + customMetadata.length, 0),
})

export const ownMetadata = (streamName: string, metadata: object): Write =>
  ownAppend(metastreamOf(streamName), [jsonEvent('$metadata', metadata)])
