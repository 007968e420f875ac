// Reads and writes the common protobuf types of EventStoreDB messages: u64, UUID, StreamIdentifier (shared.proto).
import protobuf from 'protobufjs/minimal.js'

export type Reader = protobuf.Reader
export type Writer = protobuf.Writer

export const u64Max = 0xffff_ffff_ffff_ffffn
export const i64Max = 0x7fff_ffff_ffff_ffffn
export const uuidBytes = 16

export class MalformedMessage extends Error {}

export const createReader = (bytes: Uint8Array): Reader => protobuf.Reader.create(bytes)
export const createWriter = (): Writer => protobuf.Writer.create()
export const finish = (writer: Writer): Buffer => Buffer.from(writer.finish())

// `field` consumes known fields and returns true; unknown ones are skipped, as protobuf requires.
export const readFields = (reader: Reader, end: number, field: (number: number) => boolean): void => {
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (!field(tag >>> 3)) reader.skipType(tag & 7)
  }
  if (reader.pos !== end) throw new MalformedMessage('A nested message ends outside its parent.')
}

export const readNested = (reader: Reader, field: (number: number) => boolean): void => {
  const length = reader.uint32()
  if (length > reader.len - reader.pos) throw new MalformedMessage('A nested message is longer than its parent.')
  readFields(reader, reader.pos + length, field)
}

export const readBytes = (reader: Reader): Buffer => {
  const bytes = reader.bytes()
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)
}

export const readEmpty = (reader: Reader): true => {
  readNested(reader, () => false)
  return true
}

const bigintOf = (value: number | { low: number; high: number }): bigint =>
  typeof value === 'number' ? BigInt(value) : (BigInt(value.high) << 32n) | BigInt(value.low >>> 0)

export const readU64 = (reader: Reader): bigint => BigInt.asUintN(64, bigintOf(reader.uint64()))
export const readI64 = (reader: Reader): bigint => BigInt.asIntN(64, bigintOf(reader.int64()))

export const writeU64 = (writer: Writer, field: number, value: number | bigint): Writer => {
  const tagged = writer.uint32(field << 3)
  if (typeof value === 'number') return tagged.uint64(value)
  return tagged.uint64(value.toString())
}

const lengthDelimited = (field: number): number => (field << 3) | 2

export const writeNested = (writer: Writer, field: number, content: (writer: Writer) => void): Writer => {
  writer.uint32(lengthDelimited(field)).fork()
  content(writer)
  return writer.ldelim()
}

export const writeEmpty = (writer: Writer, field: number): Writer => writer.uint32(lengthDelimited(field)).uint32(0)
export const writeBytes = (writer: Writer, field: number, bytes: Uint8Array): Writer =>
  writer.uint32(lengthDelimited(field)).bytes(bytes)
export const writeString = (writer: Writer, field: number, text: string): Writer =>
  writer.uint32(lengthDelimited(field)).string(text)

export const writeStreamIdentifier = (writer: Writer, field: number, streamName: string): Writer =>
  writeNested(writer, field, (identifier) => writeString(identifier, 3, streamName))

export const readStreamIdentifier = (reader: Reader): string => {
  let name = ''
  readNested(reader, (field) => {
    if (field !== 3) return false
    name = readBytes(reader).toString('utf8')
    return true
  })
  return name
}

/** An entry of a map of strings. */
export const readMapEntry = (reader: Reader): [key: string, value: string] => {
  const entry: [string, string] = ['', '']
  readNested(reader, (field) => {
    if (field !== 1 && field !== 2) return false
    entry[field - 1] = reader.string()
    return true
  })
  return entry
}

const uuidText = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i

// Structured IDs are two big-endian halves, as the client parses them.
export const readUuid = (reader: Reader): Buffer => {
  const id = Buffer.alloc(uuidBytes)
  let isGiven = false
  readNested(reader, (field) => {
    isGiven ||= field === 1 || field === 2
    if (field === 2) {
      const text = reader.string()
      if (!uuidText.test(text)) throw new MalformedMessage('An id is not a UUID.')
      id.write(text.replaceAll('-', ''), 'hex')
      return true
    }
    if (field !== 1) return false
    readNested(reader, (half) => {
      if (half !== 1 && half !== 2) return false
      id.writeBigInt64BE(readI64(reader), half === 1 ? 0 : 8)
      return true
    })
    return true
  })
  if (!isGiven) throw new MalformedMessage('An id is neither a text nor two halves.')
  return id
}
