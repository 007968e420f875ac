// Creates, updates and deletes the persistent subscriptions of the node, and stores them in a stream for the next start.

import { jsonEvent, ownAppend, ownMetadata } from '../store/own-events.ts'
import type { Store } from '../store/store.ts'
import { createFilter } from '../streams/filter.ts'
import { Refused } from '../wire/errors.ts'
import { type Group, openGroup } from './group.ts'
import { lastJson, ownDelete, writeAll } from './own-streams.ts'
import type { GroupName } from './requests.ts'
import {
  checkpointStream,
  type Definition,
  definitionKey,
  faultOf,
  keyOf,
  parkedStream,
  type Source,
  sourceName,
} from './settings.ts'

const configurationStream = '$persistentSubscriptionConfig'
const configurationsKept = 2
/** Interval for the time-outs and checkpoints of all groups. */
const tickMs = 1_000

/** `$all` is no stream name. */
const refuseAllByName = (source: Source, method: 'Create' | 'Update' | 'Delete'): void => {
  if (source.kind === 'stream' && source.streamName === '$all')
    throw new Refused({ kind: 'group on $all by name', method })
}

export type Groups = ReturnType<typeof openGroups>

export const openGroups = (store: Store) => {
  const groups = new Map<string, Group>()

  /** The stored definitions; only this node writes them. */
  const stored = (): Definition[] => {
    const configuration = lastJson(store, configurationStream) as { entries: Definition[] } | undefined
    return configuration?.entries ?? []
  }
  const openAll = () => {
    for (const definition of stored()) groups.set(definitionKey(definition), openGroup(store, definition))
  }
  const closeAll = () => {
    for (const group of groups.values()) group.close()
    groups.clear()
  }
  const find = (streamName: string, groupName: string): Group => {
    const group = groups.get(keyOf(streamName, groupName))
    if (!group) throw new Refused({ kind: 'group does not exist', streamName, groupName })
    return group
  }
  const named = (definition: Definition) => ({
    streamName: sourceName(definition.source),
    groupName: definition.groupName,
  })
  const check = (definition: Definition) => {
    const fault = faultOf(definition, store.head())
    if (fault !== undefined) throw new Refused({ kind: 'group failed', ...named(definition), reason: fault })
    const { source } = definition
    if (source.kind === 'all' && source.filter) createFilter(source.filter, store.names)
  }
  const save = (entries: Iterable<Group>) => {
    const definitions = [...entries].map(({ definition }) => definition)
    const isFirst = store.names.head(configurationStream).revision < 0
    return writeAll(store, [
      ...(isFirst ? [ownMetadata(configurationStream, { $maxCount: configurationsKept })] : []),
      ownAppend(configurationStream, [jsonEvent('$PersistentConfig', { version: 1, entries: definitions })]),
    ])
  }

  openAll()
  const timer = setInterval(() => {
    for (const group of groups.values()) group.tick()
  }, tickMs)
  timer.unref()

  return {
    find,
    all: (): Group[] => [...groups.values()],
    /** @throws when the stream has no group */
    ofStream: (streamName: string): Group[] => {
      const found = [...groups.values()].filter(({ definition }) => sourceName(definition.source) === streamName)
      if (found.length === 0) throw new Refused({ kind: 'group does not exist', streamName, groupName: '' })
      return found
    },
    create: async (definition: Definition): Promise<void> => {
      refuseAllByName(definition.source, 'Create')
      const key = definitionKey(definition)
      if (groups.has(key)) throw new Refused({ kind: 'group exists', ...named(definition) })
      check(definition)
      groups.set(key, openGroup(store, definition))
      await save(groups.values())
    },
    /** Keeps filter and checkpoint; drops its consumers. */
    update: async (definition: Definition): Promise<void> => {
      refuseAllByName(definition.source, 'Update')
      const { streamName, groupName } = named(definition)
      const before = find(streamName, groupName)
      const { source } = before.definition
      const changed = { ...definition, source }
      check(changed)
      before.close()
      groups.set(keyOf(streamName, groupName), openGroup(store, changed))
      await save(groups.values())
    },
    remove: async ({ streamName, groupName, isAll }: GroupName): Promise<void> => {
      if (!isAll) refuseAllByName({ kind: 'stream', streamName }, 'Delete')
      const key = keyOf(streamName, groupName)
      find(streamName, groupName).close()
      groups.delete(key)
      await save(groups.values())
      // Deleting a stream that was never written is refused, which is fine.
      await writeAll(store, [ownDelete(checkpointStream(key)), ownDelete(parkedStream(key))])
    },
    /** Drops all consumers and restarts from the stored definitions. */
    restart: (): void => {
      closeAll()
      openAll()
    },
    close: (): void => {
      clearInterval(timer)
      closeAll()
    },
  }
}
