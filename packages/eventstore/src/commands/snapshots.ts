// Snapshots of long streams: the folded state and the newest commands, in a separate stream.
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gunzip, gunzipSync, gzip } from 'node:zlib'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { Snapshot } from '@headwater/deciders/stream-type'
import type { Logger } from 'pino'
import { type EventStore, StreamDeleted } from '../client/client.ts'
import { type Codec, type StoredEvent, unknownEventType } from '../codec.ts'
import { formatPosition, type Position, parsePosition } from '../position.ts'
import { snapshotStreamOf } from '../stream-name.ts'
import { type CommandRecord, unpackAll } from './command-ids.ts'
import type { KnownStream } from './known-stream.ts'

const snapshotType = 'Snapshot'
/** EventStoreDB accepts 1 MiB per append. */
const partBytesMax = 900 * 1024
/** 14 MiB gzipped in all. A stream with a larger state has no snapshots. */
const partsMax = 16
/** Below this, decompressing is faster than handing over to another thread. */
const syncBytesMax = 16 * 1024
const streamsWaitingMax = 64
const streamsRememberedMax = 10_000

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** Metadata of each part. A set is one snapshot. */
type PartMetadata = {
  readonly version: number
  readonly set: string
  readonly part: number
  /** In the last part only, like `commands`. */
  readonly parts?: number
  /** Number of parts with commands, before those of the state; read only when an old command is needed. */
  readonly commands?: number
}

type RecordJson = readonly [string, string, number, number, string, number, string?]

const recordJson = ([commandId, record]: readonly [string, CommandRecord]): RecordJson => {
  const { requestHash, first, last, position, recordedAtMs, refusedWith } = record
  const place = formatPosition(position)
  const always = [commandId, requestHash, Number(first), Number(last), place, recordedAtMs] as const
  return refusedWith === undefined ? always : [...always, refusedWith]
}

const placeOf = (text: string): Position => {
  const position = parsePosition(text)
  if (!position) throw new Error(`${text} is no position.`)
  return position
}

const recordOf = (json: RecordJson): readonly [string, CommandRecord] => {
  const [commandId, requestHash, first, last, place, recordedAtMs, refusedWith] = json
  const position = placeOf(place)
  return [commandId, { requestHash, first: BigInt(first), last: BigInt(last), position, recordedAtMs, refusedWith }]
}

/** All but the commands. */
type Head = {
  readonly state: never
  readonly revision: number
  readonly position: string
  readonly writtenAtMs: number
  readonly schemas: readonly string[]
  readonly forgotten?: RecordJson | undefined
}

const compressed = (value: unknown): Promise<Buffer> =>
  compress(JSON.stringify(value), { level: constants.Z_BEST_SPEED })
const decompressed = async (bytes: Uint8Array) =>
  JSON.parse((bytes.length <= syncBytesMax ? gunzipSync(bytes) : await decompress(bytes)).toString())

/** Encodes the commands, which are large and seldom needed, apart from the rest. */
const encode = async <State>(snapshot: Snapshot<State>, known: KnownStream<State>) => {
  const { state, revision, position, schemas, ids } = known
  await unpackAll(ids)
  const head = {
    state: snapshot.encode(state),
    revision: Number(revision),
    position: formatPosition(position),
    schemas: [...schemas],
    writtenAtMs: Date.now(),
    forgotten: ids.forgotten && recordJson(['', ids.forgotten]),
  }
  // Later commands are not part of this snapshot.
  const records = ids.records.entries().filter(([, { last }]) => last <= revision)
  const commands = await compressed(records.map(recordJson).toArray())
  return { commands, head: await compressed(head) }
}

/** Parses `<type> <schema>`. */
const schemaOf = (text: string) => {
  const space = text.lastIndexOf(' ')
  return { type: text.slice(0, space), metadata: { schema: Number(text.slice(space)) } }
}

type FoundSet = {
  /** All but the commands. */
  readonly bytes: Uint8Array
  readonly readCommands: () => Promise<Uint8Array>
}

/** Undefined when the text is damaged. @throws Rejection `unknown_event_type` */
const decode = async <Event extends DomainEvent, State>(
  snapshot: Snapshot<State>,
  codec: Codec<Event>,
  { bytes, readCommands }: FoundSet,
): Promise<KnownStream<State> | undefined> => {
  let unknown: Pick<StoredEvent, 'type' | 'revision' | 'metadata'> | undefined
  try {
    const head: Head = await decompressed(bytes)
    const position = placeOf(head.position)
    const revision = BigInt(head.revision)
    const packed = {
      newest: { requestHash: '', first: revision, last: revision, position, recordedAtMs: head.writtenAtMs },
      unpack: async () => ((await decompressed(await readCommands())) as readonly RecordJson[]).map(recordOf),
    }
    unknown = head.schemas.map((schema) => ({ ...schemaOf(schema), revision })).find((schema) => !codec.knows(schema))
    if (!unknown)
      return {
        state: snapshot.decode(head.state),
        revision,
        position,
        schemas: new Set(head.schemas),
        ids: { records: new Map(), packed, forgotten: head.forgotten && recordOf(head.forgotten)[1] },
        snapshotAt: revision,
      }
  } catch {
    return undefined
  }
  throw unknownEventType(unknown)
}

/** Joins these parts of a set; undefined when one is missing. */
const partsOf = (events: readonly StoredEvent[], set: string, from: number, to: number): Uint8Array | undefined => {
  const bytes = Array.from({ length: to - from }, (_, n) => {
    const part = events.find(({ metadata }) => metadata.set === set && metadata.part === from + n)
    return part?.data instanceof Uint8Array ? part.data : undefined
  })
  return bytes.every((one) => one !== undefined) ? Buffer.concat(bytes) : undefined
}

/** The newest set with all parts but the commands; the newest part comes first. */
const newestSet = (
  store: Pick<EventStore, 'readStreamBack'>,
  events: readonly StoredEvent[],
  version: number,
): FoundSet | undefined => {
  for (const { stream, revision, type, metadata } of events) {
    const { set, parts, commands = 0 } = metadata as PartMetadata
    if (type !== snapshotType || metadata.version !== version || parts === undefined) continue
    const bytes = partsOf(events, set, commands, parts)
    const readCommands = async () => {
      const found = partsOf(await store.readStreamBack(stream, revision - 1n, parts - 1), set, 0, commands)
      if (!found) throw new Error('The commands of a snapshot are gone.')
      return found
    }
    if (bytes) return { bytes, readCommands }
  }
  return undefined
}

/**
 * The newest complete snapshot of the stream in today's version.
 * @throws Rejection `unknown_event_type`: it was folded with events that this release does not know
 */
export const readSnapshot = async <Event extends DomainEvent, State>(
  store: Pick<EventStore, 'readStreamBack'>,
  stream: string,
  snapshot: Snapshot<State>,
  codec: Codec<Event>,
): Promise<KnownStream<State> | undefined> => {
  const name = snapshotStreamOf(stream)
  const newestParts = (count: number) =>
    store.readStreamBack(name, 'end', count).catch((error: unknown) => {
      if (error instanceof StreamDeleted) return []
      throw error
    })
  const newest = await newestParts(1)
  if (newest.length === 0) return undefined
  const { version } = snapshot
  const found = newestSet(store, newest, version) ?? newestSet(store, await newestParts(2 * partsMax), version)
  return found && decode(snapshot, codec, found)
}

export type SnapshotWriter<State> = {
  /**
   * Queues a snapshot once per `everyEvents`. Returns the stream with its updated `snapshotAt`.
   * @param known proved by a successful append
   */
  readonly offer: (stream: string, known: KnownStream<State>) => KnownStream<State>
}

const cut = (bytes: Buffer): readonly Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / partBytesMax) }, (_, n) =>
    bytes.subarray(n * partBytesMax, (n + 1) * partBytesMax),
  )

const write = async <State>(
  { store, snapshot }: Pick<WriterOptions<State>, 'store' | 'snapshot'>,
  maxCounts: Map<string, number>,
  stream: string,
  known: KnownStream<State>,
): Promise<void> => {
  const { commands, head } = await encode(snapshot, known)
  const commandParts = cut(commands)
  const bytes = [...commandParts, ...cut(head)]
  const parts = bytes.length
  if (parts > partsMax) throw new Error(`A snapshot of ${head.length} bytes is too large.`)
  const name = snapshotStreamOf(stream)
  const $maxCount = 2 * parts
  // First: the store must not keep all states of a person for ever.
  if ((maxCounts.get(name) ?? 0) < $maxCount) {
    const limit = { id: randomUUID(), type: '$metadata', data: { $maxCount }, metadata: {} }
    await store.append(`$$${name}`, [limit], 'any')
    if (maxCounts.size >= streamsRememberedMax) maxCounts.clear()
    maxCounts.set(name, $maxCount)
  }
  const { version } = snapshot
  const set = randomUUID()
  const events = bytes.map((data, part) => {
    const last = part === parts - 1 && { parts, commands: commandParts.length }
    const metadata: PartMetadata = { version, set, part, ...last }
    return { id: randomUUID(), type: snapshotType, data, metadata }
  })
  const isSmall = commands.length + head.length <= partBytesMax
  // Any revision: another process may write its own snapshot, and readers use the newest complete one.
  for (const together of isSmall ? [events] : events.map((event) => [event])) await store.append(name, together, 'any')
}

type WriterOptions<State> = {
  readonly store: EventStore
  readonly snapshot: Snapshot<State>
  readonly logger: Logger
}

export const snapshotWriter = <State>(options: WriterOptions<State>): SnapshotWriter<State> => {
  const { snapshot, logger } = options
  const every = BigInt(snapshot.everyEvents)
  const waiting = new Map<string, KnownStream<State>>()
  const maxCounts = new Map<string, number>()
  let writing = false

  const writeWaiting = async () => {
    if (writing) return
    writing = true
    for (const [stream, known] of waiting) {
      waiting.delete(stream)
      try {
        await write(options, maxCounts, stream, known)
      } catch (error) {
        // No loss: readers fall back to the stream.
        if (!(error instanceof StreamDeleted)) logger.warn({ stream, err: error }, 'a snapshot was not written')
      }
    }
    writing = false
  }

  return {
    offer: (stream, known) => {
      const { revision, snapshotAt } = known
      const isDue = (revision + 1n) / every > (snapshotAt + 1n) / every
      if (!isDue || (waiting.size >= streamsWaitingMax && !waiting.has(stream))) return known
      const kept = { ...known, snapshotAt: revision }
      waiting.set(stream, kept)
      void writeWaiting()
      return kept
    },
  }
}
