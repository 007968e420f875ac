// The events of every type and shape as the store once gave them, and what there is to read them: all that packages export.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { contexts } from '@headwater/deciders/contexts'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventTypes } from '@headwater/deciders/event-types'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { formatPosition, parsePosition } from '@headwater/eventstore/position'
import type { Projection } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'

const packages = path.join(import.meta.dirname, '../packages')
const recorded = path.join(packages, 'deciders/recorded')

type RecordedJson = Omit<StoredEvent, 'revision' | 'position' | 'recordedAt'> &
  Readonly<Record<'revision' | 'position' | 'recordedAt', string>>

const storedOf = ({ revision, position: place, recordedAt, ...event }: RecordedJson): StoredEvent => {
  const position = parsePosition(place)
  if (!position) throw new Error(`${place} of the recorded event ${event.id} is no position.`)
  return { ...event, revision: BigInt(revision), position, recordedAt: new Date(recordedAt) }
}

const jsonOf = (event: StoredEvent): RecordedJson => ({
  id: event.id,
  stream: event.stream,
  revision: String(event.revision),
  position: formatPosition(event.position),
  type: event.type,
  data: event.data,
  metadata: event.metadata,
  recordedAt: event.recordedAt.toISOString(),
})

const readRecorded = (name: string): readonly RecordedJson[] => {
  const file = path.join(recorded, name)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

const foldersIn = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))

/** Of one shape of one type: `recorded/<context>/<type>.<version>.json`. */
export type RecordedFile = {
  /** `<context>/<type>.<version>.json` */
  readonly name: string
  readonly context: string
  readonly type: string
  /** Of the shape. */
  readonly version: number
  readonly events: readonly StoredEvent[]
}

export const recordedFiles: readonly RecordedFile[] = foldersIn(recorded).flatMap((context) =>
  readdirSync(path.join(recorded, context)).map((file) => {
    const [, type = '', version] = /^(\w+)\.(\d+)\.json$/.exec(file) ?? []
    const name = `${context}/${file}`
    return { name, context, type, version: Number(version), events: readRecorded(name).map(storedOf) }
  }),
)

/** By stream, in order: they may come from several stores, and only the order within a stream counts. */
export const recordedStreams: ReadonlyMap<string, readonly StoredEvent[]> = new Map(
  Object.entries(
    Object.groupBy(
      recordedFiles.flatMap(({ events }) => events),
      ({ stream }) => stream,
    ),
  ).map(([stream, events = []]) => [stream, events.sort((one, other) => Number(one.revision - other.revision))]),
)

/** What the modules in a folder export that `is`: nothing new is left out. */
const exportsOf = async <T>(
  folder: string,
  is: (exported: object) => exported is T & object,
): Promise<readonly T[]> => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const modules = await Promise.all(files.map((file) => import(path.join(folder, file))))
  const exported = modules.flatMap((module): readonly unknown[] => Object.values(module))
  return exported.filter((one) => typeof one === 'object' && one !== null).filter(is)
}

/** By context, the event types of its streams. */
export const eventTypes: readonly (readonly [string, EventTypes])[] = contexts.flatMap(({ name, streams }) =>
  [...new Set(streams.map(({ events }) => events))].map((events) => [name, events] as const),
)

/**
 * Adds an event to those of its type and shape, once.
 * @returns the file
 */
export const keepEvent = (event: StoredEvent): string => {
  const { type, metadata } = event
  const [context, another] = new Set(eventTypes.flatMap(([of, { schemas }]) => (type in schemas ? [of] : [])))
  if (context === undefined || another !== undefined)
    throw new Error(`No context has the type ${type}, or more than one has.`)
  const name = `${context}/${type}.${metadata.schema}.json`
  const kept = readRecorded(name).filter(({ id }) => id !== event.id)
  mkdirSync(path.join(recorded, context), { recursive: true })
  writeFileSync(path.join(recorded, name), `${JSON.stringify([...kept, jsonOf(event)], null, 2)}\n`)
  return name
}

type AnyProjection = Projection<DomainEvent, Readonly<Record<string, Row>>>

const isProjection = (exported: object): exported is AnyProjection => 'project' in exported && 'tables' in exported

export const projections = await exportsOf(path.join(packages, 'read-models/src'), isProjection)
