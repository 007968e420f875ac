// Snapshots of long streams: the folded state and the newest commands, in a stream of their own beside each stream.
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gunzip, gzip } from 'node:zlib'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { Snapshot } from '@headwater/deciders/stream-type'
import type { Logger } from 'pino'
import { type EventStore, StreamDeleted } from '../client/client.ts'
import { type Codec, type StoredEvent, unknownEventType } from '../codec.ts'
import { formatPosition, type Position, parsePosition } from '../position.ts'
import { snapshotStreamOf } from '../stream-name.ts'
import { type CommandRecord, unpackAll } from './command-ids.ts'
import type { KnownStream } from './known-stream.ts'

/** Before all else. */
const headLengthBytes = 4
const snapshotType = 'Snapshot'
/** EventStoreDB takes 1 MiB an append. */
const partBytesMax = 900 * 1024
/** Together 14 MiB, gzipped. A stream with a larger state has no snapshots. */
const partsMax = 16
const streamsWaitingMax = 64
const streamsRememberedMax = 10_000

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** Of each part. A set is one snapshot. */
type PartMetadata = {
  readonly version: number
  readonly set: string
  readonly part: number
  /** In the last part only. */
  readonly parts?: number
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
const decompressed = async (bytes: Uint8Array) => JSON.parse((await decompress(bytes)).toString())

/** The length of the head, the head, the commands: these are large, and seldom needed. */
const encode = async <State>(snapshot: Snapshot<State>, known: KnownStream<State>): Promise<Buffer> => {
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
  // Commands that came since are in memory already.
  const records = ids.records.entries().filter(([, { last }]) => last <= revision)
  const [first, commands] = await Promise.all([compressed(head), compressed(records.map(recordJson).toArray())])
  const length = Buffer.alloc(headLengthBytes)
  length.writeUInt32BE(first.length)
  return Buffer.concat([length, first, commands])
}

/** Of `<type> <schema>`, as a known stream names them. */
const schemaOf = (text: string) => {
  const space = text.lastIndexOf(' ')
  return { type: text.slice(0, space), metadata: { schema: Number(text.slice(space)) } }
}

/** Undefined when the text is damaged. @throws Rejection `unknown_event_type` */
const decode = async <Event extends DomainEvent, State>(
  snapshot: Snapshot<State>,
  codec: Codec<Event>,
  bytes: Uint8Array,
): Promise<KnownStream<State> | undefined> => {
  let unknown: Pick<StoredEvent, 'type' | 'revision' | 'metadata'> | undefined
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const headEnd = headLengthBytes + view.getUint32(0)
    const head: Head = await decompressed(bytes.subarray(headLengthBytes, headEnd))
    const commands = bytes.subarray(headEnd)
    const position = placeOf(head.position)
    const revision = BigInt(head.revision)
    const packed = {
      newest: { requestHash: '', first: revision, last: revision, position, recordedAtMs: head.writtenAtMs },
      bytes: commands.length,
      unpack: async () => ((await decompressed(commands)) as readonly RecordJson[]).map(recordOf),
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

/** The bytes of the newest set that is whole; the newest part comes first. */
const newestSet = (parts: readonly StoredEvent[], version: number): Uint8Array | undefined => {
  const own = parts.filter(({ type, metadata }) => type === snapshotType && metadata.version === version)
  for (const { metadata } of own) {
    const { set, parts: count } = metadata as PartMetadata
    if (count === undefined) continue
    const bytes = Array.from({ length: count }, (_, n) => {
      const part = own.find((one) => one.metadata.set === set && one.metadata.part === n)
      return part?.data instanceof Uint8Array ? part.data : undefined
    })
    if (bytes.every((one) => one !== undefined)) return count === 1 ? bytes[0] : Buffer.concat(bytes)
  }
  return undefined
}

/**
 * The newest snapshot of the stream in today's version. Undefined when there is none, or none that is whole.
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
  const bytes = newestSet(newest, snapshot.version) ?? newestSet(await newestParts(2 * partsMax), snapshot.version)
  return bytes && decode(snapshot, codec, bytes)
}

export type SnapshotWriter<State> = {
  /**
   * Writes a snapshot once for every `everyEvents`, some time later. Returns what is known of the stream from then on.
   * @param known a clean append has just proved it
   */
  readonly offer: (stream: string, known: KnownStream<State>) => KnownStream<State>
}

const write = async <State>(
  { store, snapshot }: Pick<WriterOptions<State>, 'store' | 'snapshot'>,
  maxCounts: Map<string, number>,
  stream: string,
  known: KnownStream<State>,
): Promise<void> => {
  const bytes = await encode(snapshot, known)
  const parts = Math.ceil(bytes.length / partBytesMax)
  if (parts > partsMax) throw new Error(`A snapshot of ${bytes.length} bytes is too large.`)
  const name = snapshotStreamOf(stream)
  const $maxCount = 2 * parts
  // First: the store must not keep the states of a person for ever.
  if ((maxCounts.get(name) ?? 0) < $maxCount) {
    const limit = { id: randomUUID(), type: '$metadata', data: { $maxCount }, metadata: {} }
    await store.append(`$$${name}`, [limit], 'any')
    if (maxCounts.size >= streamsRememberedMax) maxCounts.clear()
    maxCounts.set(name, $maxCount)
  }
  const { version } = snapshot
  const set = randomUUID()
  for (let part = 0; part < parts; part++) {
    const metadata: PartMetadata = { version, set, part, ...(part === parts - 1 && { parts }) }
    const data = bytes.subarray(part * partBytesMax, (part + 1) * partBytesMax)
    // At any revision: another process may write its own, and the newest that is whole counts.
    await store.append(name, [{ id: randomUUID(), type: snapshotType, data, metadata }], 'any')
  }
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
        // Nothing is lost: the stream is read instead.
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
