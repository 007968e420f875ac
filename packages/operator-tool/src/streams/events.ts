// Events of the store as the tool shows them.
import type { StoredEvent } from '@headwater/eventstore/codec'
import { formatPosition } from '@headwater/eventstore/position'
import { json, moment, plain, table } from '../text.ts'
import { shownData } from './personal.ts'

export const dataOption = {
  data: { type: 'boolean', help: 'shows what the events hold, without what belongs to a person' },
} as const

export const eventJson = (event: StoredEvent, withData: boolean) => {
  const { id, stream, revision, position, type, recordedAt, metadata } = event
  return {
    id,
    stream,
    revision: String(revision),
    position: formatPosition(position),
    type,
    recordedAt,
    metadata,
    ...(withData && { data: shownData(event) }),
  }
}

const actorOf = ({ metadata: { actor } }: StoredEvent): string => (typeof actor === 'string' ? actor : '-')

export const eventTable = (events: readonly StoredEvent[], withData: boolean): string => {
  const rows = events.map((event) => [
    String(event.revision),
    moment(event.recordedAt),
    event.type,
    actorOf(event),
    withData ? json(shownData(event)) : event.id,
  ])
  return table(['REVISION', 'RECORDED', 'TYPE', 'BY', withData ? 'DATA' : 'ID'], rows)
}

/** An event as a line. */
export const eventLine = (event: StoredEvent, withData: boolean): string => {
  const { recordedAt, revision, stream, type } = event
  const data = withData ? `  ${json(shownData(event))}` : ''
  return plain(`${moment(recordedAt)}  ${revision}@${stream}  ${type}  ${actorOf(event)}${data}`)
}
