// Turns emitted events into writes, and initializes their target streams.
import { ownAppend, ownMetadata, textEvent } from '../store/own-events.ts'
import type { Row } from '../store/pages.ts'
import { decodeRecord } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { Write } from '../store/writer.ts'
import { uuidBytes } from '../wire/wire.ts'
import type { Emitted, Rule, SourceEvent, SystemProjection } from './catalogue.ts'
import { everybodyReads, lastOf, origin, type Settings, versionOf } from './records.ts'

/** An emitted event with the position and the ID of its cause. */
export type Projected = { readonly position: number; readonly id: string; readonly emitted: Emitted }

const streamsRememberedMax = 10_000

const idOf = ([, , , , record]: Row): string => {
  const hex = record.toString('hex', 0, uuidBytes)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

const toSourceEvent = ({ names }: Store, [position, stream, type, revision, record]: Row): SourceEvent => ({
  position,
  streamName: names.streamName(stream),
  revision,
  type: names.typeName(type),
  recorded: () => decodeRecord(record),
})

export const projectRow = (store: Store, rule: Rule, row: Row): Projected | undefined => {
  const emitted = rule(toSourceEvent(store, row))
  return emitted && { position: row[0], id: idOf(row), emitted }
}

/**
 * For one run of a projection: it caches which streams are initialized, so a run whose writes failed needs a new one.
 */
export const createEmitter = (store: Store, projection: SystemProjection, settings: Settings) => {
  const begun = new Set<string>()

  // Metadata precedes the first event of an epoch: it lets all users read the stream, and hides events of earlier
  // epochs. EventStoreDB truncates each stream at the same moment.
  const begin = (streamName: string): Write[] => {
    if (begun.has(streamName)) return []
    if (begun.size >= streamsRememberedMax) begun.clear()
    begun.add(streamName)
    const { revision } = store.names.head(streamName)
    const last = lastOf(store, streamName)
    if (last === undefined) return [ownMetadata(streamName, { $acl: everybodyReads })]
    const version = versionOf(last)
    if (version === undefined || version >= settings.epoch) return []
    return [ownMetadata(streamName, { $tb: revision + 1, $acl: everybodyReads })]
  }

  const eventOf = ({ position, id, emitted: { type, data, extra } }: Projected) =>
    textEvent(type, data, { ...origin(projection, settings, position), ...extra, $causedBy: id })

  return (projected: readonly Projected[]): Write[] => {
    const byStream = Map.groupBy(projected, ({ emitted }) => emitted.streamName)
    return [...byStream].flatMap(([streamName, events]) => [
      ...begin(streamName),
      ownAppend(streamName, events.map(eventOf)),
    ])
  }
}
