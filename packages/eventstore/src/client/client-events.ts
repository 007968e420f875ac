// Converts events and positions of the official client to ours.
import type { AllStreamRecordedEvent, RecordedEvent as ClientEvent } from '@eventstore/db-client'
import type { StoredEvent } from '../codec.ts'
import type { Position } from '../position.ts'

export type { AllStreamRecordedEvent, RecordedEvent as ClientEvent } from '@eventstore/db-client'

/** The client reports the largest 64-bit number for a missing position. */
const unknownPlace = 0xffff_ffff_ffff_ffffn

export const isKnown = (position: Position | undefined): position is Position =>
  position !== undefined && position.commit !== unknownPlace && position.prepare !== unknownPlace

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !(value instanceof Uint8Array)

/** True when a stream's metadata can hide events of it. */
export const hidesEvents = (metadata: unknown): boolean =>
  isObject(metadata) && ['$tb', '$maxCount', '$maxAge'].some((key) => key in metadata)

export const toStoredEvent = (event: ClientEvent | AllStreamRecordedEvent, position: Position): StoredEvent => ({
  id: event.id,
  stream: event.streamId,
  revision: event.revision,
  position,
  type: event.type,
  data: event.data,
  metadata: isObject(event.metadata) ? event.metadata : {},
  recordedAt: event.created,
})
