// All persistent subscriptions of the node: made, changed and deleted, and kept in a stream from which they start again (§2.11).

import { jsonEvent, ownAppend } from '../own-events.ts'
import type { Store } from '../store.ts'
import {
  persistentSubscriptionDoesNotExist,
  persistentSubscriptionExists,
  persistentSubscriptionFailed,
} from './errors.ts'
import { type Group, openGroup } from './group.ts'
import { lastJson, ownDelete, writeAll } from './own-streams.ts'
import {
  checkpointStream,
  type Definition,
  definitionKey,
  faultOf,
  keyOf,
  parkedStream,
  sourceName,
} from './settings.ts'

const configurationStream = '$persistentSubscriptionConfig'
/** Of the time-outs and the checkpoints of all groups. */
const tickMs = 1_000

export type Groups = ReturnType<typeof openGroups>

export const openGroups = (store: Store) => {
  const groups = new Map<string, Group>()

  /** As they were written by this node: nobody else writes there. */
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
    if (!group) throw persistentSubscriptionDoesNotExist({ streamName, groupName })
    return group
  }
  const named = (definition: Definition) => ({
    streamName: sourceName(definition.source),
    groupName: definition.groupName,
  })
  const check = (definition: Definition) => {
    const fault = faultOf(definition, store.head())
    if (fault !== undefined) throw persistentSubscriptionFailed(named(definition), fault)
  }
  const save = (entries: Iterable<Group>) => {
    const definitions = [...entries].map(({ definition }) => definition)
    return writeAll(store, [
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
    /** @throws when the stream has none */
    ofStream: (streamName: string): Group[] => {
      const found = [...groups.values()].filter(({ definition }) => sourceName(definition.source) === streamName)
      if (found.length === 0) throw persistentSubscriptionDoesNotExist({ streamName, groupName: '' })
      return found
    },
    create: async (definition: Definition): Promise<void> => {
      const key = definitionKey(definition)
      if (groups.has(key)) throw persistentSubscriptionExists(named(definition))
      check(definition)
      groups.set(key, openGroup(store, definition))
      await save(groups.values())
    },
    /** Keeps the filter and how far it is; its consumers are dropped. */
    update: async (definition: Definition): Promise<void> => {
      const { streamName, groupName } = named(definition)
      const before = find(streamName, groupName)
      const { source } = before.definition
      const changed = { ...definition, source }
      check(changed)
      before.close()
      groups.set(keyOf(streamName, groupName), openGroup(store, changed))
      await save(groups.values())
    },
    remove: async (streamName: string, groupName: string): Promise<void> => {
      const key = keyOf(streamName, groupName)
      find(streamName, groupName).close()
      groups.delete(key)
      await save(groups.values())
      // One that was never written is refused, and that is all right.
      await writeAll(store, [ownDelete(checkpointStream(key)), ownDelete(parkedStream(key))])
    },
    /** Drops all consumers and begins again from what is stored. */
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
