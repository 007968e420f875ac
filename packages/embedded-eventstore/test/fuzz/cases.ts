// Input that no valid client sends: calls with invalid messages, framing, headers and ends, and connections that break HTTP/2's rules.
import fc from 'fast-check'
import { persistentRequests } from '../codec/persistent-requests.ts'
import { projections } from '../codec/projections.ts'
import { readRequests } from '../codec/read-requests.ts'
import { writeRequests } from '../codec/write-requests.ts'

export type Call = {
  readonly kind: 'call'
  readonly headers: Readonly<Record<string, string>>
  /** The body, framing and all. */
  readonly body: readonly Uint8Array[]
  readonly end: 'half-close' | 'reset' | 'stall'
}
export type Connection = {
  readonly kind: 'connection'
  readonly sent: readonly Uint8Array[]
  readonly end: 'half-close' | 'destroy' | 'stall'
}
export type Case = Call | Connection

const oneOf = fc.constantFrom<string[]>
const anyBytes = fc.uint8Array({ maxLength: 200 })

const sensible = fc.oneof(
  ...[...readRequests, ...writeRequests, ...persistentRequests, ...projections].flatMap(({ sent }) =>
    sent ? [sent] : [],
  ),
)
const altered = fc
  .record({
    message: sensible,
    kept: fc.double({ min: 0, max: 1, noNaN: true }),
    changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    appended: fc.oneof(fc.constant(new Uint8Array()), anyBytes),
  })
  .map(({ message, kept, changes, appended }) => {
    const bytes = Buffer.concat([message.subarray(0, Math.ceil(message.length * kept)), appended])
    for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value
    return bytes
  })
/** Larger than the message limit of the node. */
const oversized = fc.constant(Buffer.alloc(18 * 1024 * 1024, 0x0a))
const message = fc.oneof(
  { weight: 300, arbitrary: sensible },
  { weight: 500, arbitrary: altered },
  { weight: 198, arbitrary: anyBytes },
  { weight: 2, arbitrary: oversized },
)

/** gRPC's frame: one byte of flags, four of length. */
const framed = (flags: number, length: number, content: Uint8Array): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt8(flags, 0)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, content])
}
const frame = fc.oneof(
  { weight: 20, arbitrary: message.map((content) => framed(0, content.length, content)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(255), fc.oneof(fc.nat(300), fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1)), anyBytes)
      .map(([flags, length, content]) => framed(flags, length, content)),
  },
)

const services: Record<string, string[]> = {
  'event_store.client.streams.Streams': ['Read', 'Append', 'BatchAppend', 'Delete', 'Tombstone'],
  'event_store.client.persistent_subscriptions.PersistentSubscriptions': [
    ...['Create', 'Update', 'Delete', 'Read', 'GetInfo', 'ReplayParked', 'List', 'RestartSubsystem'],
  ],
  'event_store.client.projections.Projections': [
    ...[
      'Create',
      'Update',
      'Delete',
      'Statistics',
      'Enable',
      'Disable',
      'Reset',
      'State',
      'Result',
      'RestartSubsystem',
    ],
  ],
  'event_store.client.server_features.ServerFeatures': ['GetSupportedMethods'],
  'event_store.client.gossip.Gossip': ['Read'],
  // All but Shutdown, which would end the test.
  'event_store.client.operations.Operations': ['StartScavenge', 'StopScavenge', 'ResignNode'],
  'event_store.client.users.Users': ['Create', 'Details'],
  'event_store.client.monitoring.Monitoring': ['Stats'],
}
const served = Object.entries(services).flatMap(([service, methods]) =>
  methods.map((method) => `/${service}/${method}`),
)
const path = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...served.slice(0, 13)) },
  { weight: 3, arbitrary: fc.constantFrom(...served) },
  {
    weight: 2,
    arbitrary: oneOf(
      ...['/', '//', '/x', '/x/y', '/event_store.client.streams.Streams', '/event_store.client.streams.Streams/'],
      ...['/event_store.client.streams.streams/read', '/__proto__/constructor', `/${'a'.repeat(9_000)}`, '*', '/%00'],
    ),
  },
)
const headers = fc
  .record({
    path,
    method: fc.oneof(
      { weight: 20, arbitrary: fc.constant('POST') },
      { weight: 1, arbitrary: oneOf('GET', 'PUT', 'X') },
    ),
    type: fc.oneof(
      { weight: 20, arbitrary: oneOf('application/grpc', 'application/grpc+proto') },
      { weight: 1, arbitrary: oneOf('application/json', 'application/grpc-web', '', 'x') },
    ),
    more: fc.dictionary(
      oneOf('grpc-timeout', 'grpc-encoding', 'grpc-accept-encoding', 'requires-leader', 'authorization', 'a-bin'),
      oneOf('1S', '0n', '99999999H', '-1m', 'x', 'gzip', 'identity', 'snappy', 'Basic eA==', 'Basic %', 'true', '===='),
      { maxKeys: 2 },
    ),
  })
  .map(({ path, method, type, more }) => ({
    ':method': method,
    ':path': path,
    'content-type': type,
    te: 'trailers',
    ...more,
  }))

const call: fc.Arbitrary<Call> = fc.record({
  kind: fc.constant('call'),
  headers,
  body: fc.array(frame, { maxLength: 4 }),
  end: fc.constantFrom('half-close', 'half-close', 'half-close', 'reset', 'stall'),
})

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const http2Frame = (
  type: number,
  flags: number,
  stream: number,
  content: Uint8Array,
  length = content.length,
): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, content])
}
const settings = http2Frame(4, 0, 0, Buffer.alloc(0))
const oddFrame = fc
  .record({
    // DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, and beyond.
    type: fc.oneof(fc.nat(9), fc.nat(255)),
    flags: fc.nat(255),
    stream: fc.constantFrom(0, 1, 2, 3, 2 ** 31 - 1, 2 ** 32 - 1),
    content: anyBytes,
    length: fc.option(fc.nat(2 ** 24 - 1), { nil: undefined, freq: 10 }),
  })
  .map(({ type, flags, stream, content, length }) => http2Frame(type, flags, stream, content, length))
const begin = fc.oneof(
  { weight: 6, arbitrary: fc.constant(Buffer.concat([preface, settings])) },
  { weight: 1, arbitrary: fc.nat(preface.length).map((length) => preface.subarray(0, length)) },
  { weight: 1, arbitrary: fc.constant(Buffer.from('GET /ping HTTP/1.1\r\nhost: x\r\n\r\n')) },
  {
    weight: 1,
    arbitrary: fc.constant(Buffer.from('POST /streams/x HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n{')),
  },
  // The start of a TLS handshake.
  { weight: 1, arbitrary: fc.constant(Buffer.from('16030100c8010000c40303', 'hex')) },
  { weight: 2, arbitrary: anyBytes },
)
const connection: fc.Arbitrary<Connection> = fc.record({
  kind: fc.constant('connection'),
  sent: fc
    .tuple(begin, fc.array(fc.oneof(oddFrame, anyBytes), { maxLength: 5 }))
    .map(([first, rest]) => [first, ...rest]),
  end: fc.constantFrom('half-close', 'destroy', 'stall'),
})

export const oddity: fc.Arbitrary<Case> = fc.oneof({ weight: 3, arbitrary: call }, { weight: 1, arbitrary: connection })
