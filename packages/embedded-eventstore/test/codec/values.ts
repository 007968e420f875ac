// Random values for the parts of messages, and how to put each into the client's published generated code.
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import fc from 'fast-check'
import protobuf from 'protobufjs/minimal.js'

const u64Max = 2n ** 64n - 1n

/** Both ends and the steps of a varint are as frequent as values in between. */
export const u64 = fc.oneof(
  fc.constantFrom(0n, 1n, 127n, 128n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, u64Max),
  fc.bigInt(0n, u64Max),
)
/** Revisions and positions as our side represents them. */
export const place = fc.oneof(
  fc.constantFrom(0, 1, 127, 128, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
  fc.nat(100_000),
  fc.maxSafeNat(),
)
export const text = fc.oneof(
  fc.constantFrom('', ' ', '\u0000', '$all', '$$a-1', '\ufeffa', '💧', 'a'.repeat(3_000), '__proto__', 'constructor'),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
)
export const bytes = fc.oneof(
  fc.constant(Buffer.alloc(0)),
  fc.uint8Array({ maxLength: 300 }).map((found) => Buffer.from(found)),
)

export type Id =
  | { form: 'string'; text: string }
  | { form: 'structured'; halves: readonly [bigint, bigint] }
  | { form: 'none' }

export const uuid = fc.uuid()
const i64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
export const id: fc.Arbitrary<Id> = fc.oneof(
  { weight: 8, arbitrary: uuid.map((found) => ({ form: 'string' as const, text: found })) },
  {
    weight: 8,
    arbitrary: fc.tuple(i64, i64).map((halves) => ({ form: 'structured' as const, halves })),
  },
  { weight: 1, arbitrary: fc.constant({ form: 'none' as const }) },
  { weight: 1, arbitrary: text.map((found) => ({ form: 'string' as const, text: found })) },
)

export const toUuid = (given: Id): shared.UUID => {
  const message = new shared.UUID()
  if (given.form === 'string') message.setString(given.text)
  if (given.form === 'structured') {
    const structured = new shared.UUID.Structured()
    structured.setMostSignificantBits(String(given.halves[0]))
    structured.setLeastSignificantBits(String(given.halves[1]))
    message.setStructured(structured)
  }
  return message
}

/** The 16 bytes of the ID; undefined when it is invalid. */
export const idBytes = (given: Id): Buffer | undefined => {
  if (given.form === 'none') return undefined
  if (given.form === 'string') {
    const found = Buffer.from(given.text.replaceAll('-', ''), 'hex')
    return found.length === 16 ? found : undefined
  }
  const found = Buffer.alloc(16)
  for (const [at, half] of given.halves.entries()) found.writeBigInt64BE(half, at * 8)
  return found
}

export const toIdentifier = (name: string): shared.StreamIdentifier => {
  const message = new shared.StreamIdentifier()
  message.setStreamName(Buffer.from(name))
  return message
}

// google-protobuf's classes are not exported by the client: this reaches one through its generated code.
export const googleEmpty = () => new (shared.Empty as unknown as new () => never)()
type Timestamp = NonNullable<ReturnType<streamsPb.BatchAppendReq.Options['getDeadline']>>
export const toTimestamp = (seconds: number, nanos: number): Timestamp => {
  const options = streamsPb.BatchAppendReq.Options.deserializeBinary(Buffer.from([0x32, 0]))
  const timestamp = options.getDeadline() as Timestamp
  timestamp.setSeconds(seconds)
  timestamp.setNanos(nanos)
  return timestamp
}

const wireTypes = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const
const firstUnknown = 1_000

/** An unknown field: a later version of the protocol may add one, at any depth. */
export const unknownField = fc
  .record({
    number: fc.integer({ min: firstUnknown, max: 2 ** 29 - 1 }),
    type: fc.constantFrom(...Object.values(wireTypes)),
    content: fc.uint8Array({ maxLength: 20 }),
    varint: u64,
  })
  .map(({ number, type, content, varint }) => {
    const writer = protobuf.Writer.create().uint32(((number << 3) | type) >>> 0)
    if (type === wireTypes.varint) writer.uint64(String(varint))
    else if (type === wireTypes.fixed64) writer.fixed64(String(varint))
    else if (type === wireTypes.fixed32) writer.fixed32(Number(varint % 2n ** 32n))
    else writer.bytes(content)
    return writer.finish()
  })

/** The message with `extra` at the end of the nested messages at `path`. */
export const withExtra = (message: Uint8Array, path: readonly number[], extra: Uint8Array): Uint8Array => {
  const [next, ...rest] = path
  if (next === undefined) return Buffer.concat([message, extra])
  const reader = protobuf.Reader.create(message)
  const parts: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const tag = reader.uint32()
    if (tag !== ((next << 3) | wireTypes.lengthDelimited)) {
      reader.skipType(tag & 7)
      parts.push(message.subarray(start, reader.pos))
      continue
    }
    const nested = withExtra(reader.bytes(), rest, extra)
    parts.push(protobuf.Writer.create().uint32(tag).bytes(nested).finish())
  }
  return Buffer.concat(parts)
}
