// Interns stream names and event types as small integers, and remembers where each stream ends.
import type { Database } from './database.ts'

const remembered = { streamsMax: 100_000, typesMax: 10_000 }

export type Head = { stream: number; revision: number }

const remember = <Key, Value>(cache: Map<Key, Value>, max: number, key: Key, value: Value): void => {
  cache.delete(key)
  if (cache.size >= max) {
    const oldest = cache.keys().next()
    if (!oldest.done) cache.delete(oldest.value)
  }
  cache.set(key, value)
}

export type Names = ReturnType<typeof openNames>

export const openNames = (database: Database) => {
  const heads = new Map<string, Head>()
  const types = new Map<string, number>()
  const findStream = database.prepare<[string], number>('SELECT id FROM streams WHERE name = ?').pluck()
  const addStream = database.prepare<[string]>('INSERT INTO streams (name) VALUES (?)')
  const lastKey = database
    .prepare<[number], number>('SELECT key FROM keys WHERE stream = ? ORDER BY key DESC LIMIT 1')
    .pluck()
  const findType = database.prepare<[string], number>('SELECT id FROM types WHERE name = ?').pluck()
  const addType = database.prepare<[string]>('INSERT INTO types (name) VALUES (?)')
  const nameOfStream = database.prepare<[number], string>('SELECT name FROM streams WHERE id = ?').pluck()
  const nameOfType = database.prepare<[number], string>('SELECT name FROM types WHERE id = ?').pluck()

  const head = (streamName: string): Head | undefined => {
    const known = heads.get(streamName)
    if (known) return known
    const stream = findStream.get(streamName)
    if (stream === undefined) return undefined
    const found = { stream, revision: lastKey.get(stream) ?? -1 }
    remember(heads, remembered.streamsMax, streamName, found)
    return found
  }

  return {
    head,
    streamNumber: (streamName: string): number =>
      head(streamName)?.stream ?? Number(addStream.run(streamName).lastInsertRowid),
    moveHead: (streamName: string, moved: Head): void => remember(heads, remembered.streamsMax, streamName, moved),
    findType: (type: string): number | undefined => types.get(type) ?? findType.get(type),
    typeNumber: (type: string): number => {
      const known = types.get(type) ?? findType.get(type) ?? Number(addType.run(type).lastInsertRowid)
      if (!types.has(type)) remember(types, remembered.typesMax, type, known)
      return known
    },
    streamName: (stream: number): string => nameOfStream.get(stream) ?? '',
    typeName: (type: number): string => nameOfType.get(type) ?? '',
    // After a rollback what was remembered may never have happened.
    forget: (): void => {
      heads.clear()
      types.clear()
    },
  }
}
