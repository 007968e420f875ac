// Reads events from the database in bounded pages; no statement stays open between two pages.
import type { Database } from './database.ts'

export type Direction = 'forwards' | 'backwards'
export type Row = [position: number, stream: number, type: number, revision: number, record: Buffer]
export type Place = [position: number, stream: number, type: number]

export const pageEventsMax = 256
export const pageBytesMax = 1024 * 1024
const scanEventsMax = 2000
/** The greatest character, as an upper bound of names with a prefix. */
const lastCharacter = '\u{10ffff}'

const columns = 'events.position, events.stream, events.type, events.revision, events.record'
const both = (forwards: string, backwards: string) => ({ forwards, backwards })

export const openPages = (database: Database) => {
  const prepareBoth = <Arguments extends unknown[], Result>(sql: { forwards: string; backwards: string }) => ({
    forwards: database.prepare<Arguments, Result>(sql.forwards).raw(),
    backwards: database.prepare<Arguments, Result>(sql.backwards).raw(),
  })

  const all = prepareBoth<[number, number], Row>(
    both(
      `SELECT ${columns} FROM events WHERE position >= ? ORDER BY position LIMIT ?`,
      `SELECT ${columns} FROM events WHERE position <= ? ORDER BY position DESC LIMIT ?`,
    ),
  )
  const places = prepareBoth<[number, number], Place>(
    both(
      'SELECT position, stream, type FROM events WHERE position >= ? ORDER BY position LIMIT ?',
      'SELECT position, stream, type FROM events WHERE position <= ? ORDER BY position DESC LIMIT ?',
    ),
  )
  const ofStream = prepareBoth<[number, number, number], Row>(
    both(
      `SELECT ${columns} FROM keys JOIN events ON events.position = keys.position
       WHERE keys.stream = ? AND keys.key >= ? ORDER BY keys.key LIMIT ?`,
      `SELECT ${columns} FROM keys JOIN events ON events.position = keys.position
       WHERE keys.stream = ? AND keys.key <= ? AND keys.key >= 0 ORDER BY keys.key DESC LIMIT ?`,
    ),
  )
  const one = database.prepare<[number], Row>(`SELECT ${columns} FROM events WHERE position = ?`).raw()

  const streams = database
    .prepare<[number, string, string, number, number], [number, string]>(
      `SELECT id, name FROM streams
       WHERE id < ? AND name >= ? AND name < ? AND (? OR substr(name, 1, 1) <> '$')
       AND substr(name, 1, 9) <> 'snapshot_' ORDER BY id DESC LIMIT ?`,
    )
    .raw()

  // A page is bounded by size and number, and holds at least one event.
  const bounded = (rows: IterableIterator<Row>): Row[] => {
    const page: Row[] = []
    let bytes = 0
    for (const row of rows) {
      page.push(row)
      bytes += row[4].length
      if (bytes >= pageBytesMax) break
    }
    return page
  }

  return {
    // All bounds are inclusive, in both directions.
    all: (from: number, direction: Direction, count: number): Row[] =>
      bounded(all[direction].iterate(from, Math.min(count, pageEventsMax))),
    stream: (stream: number, from: number, direction: Direction, count: number): Row[] =>
      bounded(ofStream[direction].iterate(stream, from, Math.min(count, pageEventsMax))),
    places: (from: number, direction: Direction): Place[] => places[direction].all(from, scanEventsMax),
    /** Streams whose name begins with `prefix`, newest first, before the number `before`. */
    streams: (prefix: string, withSystem: boolean, before: number, count: number): [number, string][] =>
      streams.all(before, prefix, `${prefix}${lastCharacter}`, withSystem ? 1 : 0, count),
    at: (position: number): Row | undefined => one.get(position),
    atRevision: (stream: number, revision: number): Row | undefined => {
      const row = ofStream.forwards.get(stream, revision, 1)
      return row?.[3] === revision ? row : undefined
    },
  }
}
