// Settings and checkpoints of projections, stored in EventStoreDB's streams and formats.
import { jsonEvent, ownAppend, ownMetadata } from '../store/own-events.ts'
import { decodeRecord, type Recorded } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { parseObject } from '../store/stream-metadata.ts'
import type { TypedEvent, Write } from '../store/writer.ts'
import type { SystemProjection } from './catalogue.ts'

/**
 * @property version number of changes of the settings; -1 before the first
 * @property epoch the version of the last reset; -1 without one
 */
export type Settings = {
  readonly enabled: boolean
  readonly source: string
  readonly epoch: number
  readonly version: number
}

/** EventStoreDB's version number of the format of emitted events. */
const emittedVersion = 4

const settingsStreamOf = (name: string): string => `$projections-${name}`
const checkpointStreamOf = (name: string): string => `$projections-${name}-checkpoint`

/** Metadata of emitted events: their projection, and the position of their cause. */
export const origin = ({ number }: SystemProjection, { epoch, version }: Settings, position: number) => ({
  $v: `${number}:${epoch}:${version}:${emittedVersion}`,
  $c: position === 0 ? -1 : position,
  $p: position === 0 ? -1 : position,
})

/** The settings version in an emitted event; undefined for other events. */
export const versionOf = ({ customMetadata }: Recorded): number | undefined => {
  const origin = parseObject(customMetadata)?.$v
  const match = typeof origin === 'string' ? /^\d+:-?\d+:(-?\d+):/.exec(origin) : undefined
  return match?.[1] === undefined ? undefined : Number(match[1])
}

/** The last event of a stream, also when metadata hides it. */
export const lastOf = ({ names, pages }: Store, streamName: string): Recorded | undefined => {
  const { stream, revision } = names.head(streamName)
  const row = stream === undefined ? undefined : pages.atRevision(stream, revision)
  return row && decodeRecord(row[4])
}

const integer = (value: unknown): number => (Number.isSafeInteger(value) ? Number(value) : -1)

/** The settings before the first write. */
export const unsetOf = ({ source }: SystemProjection): Settings => ({ enabled: false, source, epoch: -1, version: -1 })

export const readSettings = (store: Store, projection: SystemProjection): Settings => {
  const last = lastOf(store, settingsStreamOf(projection.name))
  const stored = last && parseObject(last.data)
  if (!stored) return unsetOf(projection)
  return {
    enabled: stored.enabled === true,
    source: typeof stored.query === 'string' ? stored.query : projection.source,
    epoch: integer(stored.epoch),
    version: integer(stored.version),
  }
}

export const settingsWrite = ({ name, handler }: SystemProjection, settings: Settings): Write => {
  const { enabled, source: query, epoch, version } = settings
  const handlerType = `native:EventStore.Projections.Core.Standard.${handler}`
  const data = { handlerType, query, mode: 'continuous', enabled, emitEnabled: true, epoch, version }
  return ownAppend(settingsStreamOf(name), [jsonEvent('$ProjectionUpdated', data)])
}

/** @returns the position up to which all events are linked; 0 when it never ran */
export const readCheckpoint = (store: Store, { name }: SystemProjection): number => {
  const last = lastOf(store, checkpointStreamOf(name))
  return Math.max(0, integer(last && parseObject(last.customMetadata)?.$c))
}

/** Two are enough to resume from. */
const checkpointsMax = 2
const admins = '$admins'
export const everybodyReads = { $r: '$all', $mr: '$all' }

const bounded = (acl: unknown) => ({ $maxCount: checkpointsMax, $acl: acl })

/** The copy starts with a checkpoint before the first event. */
export const beginCheckpointCopy = ({ checkpointCopy }: SystemProjection): Write[] =>
  checkpointCopy === undefined
    ? []
    : [
        ownMetadata(checkpointCopy, bounded(everybodyReads)),
        ownAppend(checkpointCopy, [jsonEvent('$Checkpoint', { $c: 0, $p: -1 })]),
      ]

export const checkpointWrites = (
  { names }: Store,
  projection: SystemProjection,
  settings: Settings,
  position: number,
): Write[] => {
  const streamName = checkpointStreamOf(projection.name)
  const { checkpointCopy } = projection
  const from = origin(projection, settings, position)
  const writes: Write[] = []
  const write = (to: string, event: TypedEvent, acl: unknown): void => {
    if (names.head(to).revision < 0) writes.push(ownMetadata(to, bounded(acl)))
    writes.push(ownAppend(to, [event]))
  }
  if (checkpointCopy !== undefined)
    write(checkpointCopy, jsonEvent('$Checkpoint', { $c: from.$c, $p: from.$p }, from), everybodyReads)
  write(streamName, jsonEvent('$ProjectionCheckpoint', {}, from), {
    $r: admins,
    $w: admins,
    $d: admins,
    $mr: '$all',
    $mw: admins,
  })
  return writes
}
