// Writes the events that EventStoreDB writes to an empty database, because they affect the positions of later events.

import { systemProjections } from '../projections/catalogue.ts'
import type { ProjectionMode } from '../projections/projections.ts'
import { beginCheckpointCopy, settingsWrite, unsetOf } from '../projections/records.ts'
import { ownAppend, ownMetadata, textEvent } from './own-events.ts'
import type { Write } from './writer.ts'

const scavenges = { $maxAge: 2_592_000, $acl: { $r: '$ops', $w: [], $d: [], $mr: [], $mw: [] } }

const created = (): Write =>
  ownAppend('$projections-$all', [
    textEvent('$ProjectionsInitialized', ''),
    ...systemProjections.map(({ name }) => textEvent('$ProjectionCreated', name)),
  ])

/** In EventStoreDB's order: 1 event without projections, 12 when they are stopped, 19 when they run. */
export const systemEvents = (mode: ProjectionMode): Write[] => {
  const writes = [ownMetadata('$scavenges', scavenges)]
  if (mode === 'off') return writes
  const update = (enabled: boolean, version: number) =>
    systemProjections.map((projection) => settingsWrite(projection, { ...unsetOf(projection), enabled, version }))
  writes.push(created(), ...update(false, 0))
  return mode === 'stopped'
    ? writes
    : [...writes, ...update(true, 1), ...systemProjections.flatMap(beginCheckpointCopy)]
}
