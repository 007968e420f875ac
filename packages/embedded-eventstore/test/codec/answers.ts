// Answers of the Streams and ServerFeatures services, read by the client's generated code.
import serverFeatures from '@eventstore/db-client/generated/serverfeatures_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import fc from 'fast-check'
import { encodeReadEvent, encodeRecord, tombstoneRevision } from '../../src/store/record.ts'
import type { Refusal } from '../../src/streams/append-rules.ts'
import * as replies from '../../src/streams/replies.ts'
import { type BatchReason, batchErrorOf, messageOf } from '../../src/wire/errors.ts'
import { answer, type Entry } from './entry.ts'
import { bytes, googleEmpty, place, text, toIdentifier, toUuid, u64, uuid } from './values.ts'

const { AppendResp, BatchAppendResp, DeleteResp, ReadResp } = streamsPb
const empty = () => new shared.Empty()

const written = fc.record({
  revision: fc.oneof(fc.constant(-1), place),
  position: fc.option(place, { nil: undefined }),
})

const append = answer({
  name: 'AppendResp: success',
  values: written,
  encode: replies.encodeAppendSuccess,
  decode: AppendResp.deserializeBinary,
  expected: ({ revision, position }) => {
    const success = new AppendResp.Success()
    if (revision < 0) success.setNoStream(empty())
    else success.setCurrentRevision(String(revision))
    if (position === undefined) success.setNoPosition(empty())
    else success.setPosition(pair(new AppendResp.Position(), position))
    return new AppendResp().setSuccess(success)
  },
})

type Position = { setCommitPosition(value: string): unknown; setPreparePosition(value: string): unknown }
const pair = <Message extends Position>(message: Message, position: number): Message => {
  message.setCommitPosition(String(position))
  message.setPreparePosition(String(position))
  return message
}

const wrongExpected = fc.record({
  current: fc.oneof(fc.constant(-1), place),
  expected: fc.oneof(fc.constantFrom('any' as const, 'no stream' as const, 'stream exists' as const), u64),
})

// The generated code reads u64's maximum as 2^64 where it is a number, and cannot write that.
const writable = (value: number): number => Math.min(value, 2 ** 63)

const appendWrong = answer({
  name: 'AppendResp: wrong expected version',
  values: wrongExpected,
  encode: replies.encodeWrongExpectedVersion,
  decode: (message) => {
    const found = AppendResp.deserializeBinary(message)
    const wrong = found.getWrongExpectedVersion()
    if (wrong?.hasExpectedRevision2060()) wrong.setExpectedRevision2060(writable(wrong.getExpectedRevision2060()))
    return found
  },
  expected: ({ current, expected }) => {
    const wrong = new AppendResp.WrongExpectedVersion()
    if (current < 0) wrong.setCurrentNoStream(empty()).setNoStream2060(empty())
    else wrong.setCurrentRevision(String(current)).setCurrentRevision2060(current)
    if (expected === 'any') wrong.setExpectedAny(empty()).setAny2060(empty())
    else if (expected === 'stream exists') wrong.setExpectedStreamExists(empty()).setStreamExists2060(empty())
    else if (expected === 'no stream') {
      wrong.setExpectedNoStream(empty()).setExpectedRevision2060(writable(2 ** 64))
    } else wrong.setExpectedRevision(String(expected)).setExpectedRevision2060(writable(Number(expected)))
    return new AppendResp().setWrongExpectedVersion(wrong)
  },
})

const addressed = fc.record({ id: uuid, streamName: text })
type Addressed = { id: string; streamName: string }
const reply = ({ id, streamName }: Addressed) => ({
  correlationId: Buffer.from(toUuid({ form: 'string', text: id }).serializeBinary()),
  streamName,
})
const batchReply = ({ id, streamName }: Addressed) =>
  new BatchAppendResp()
    .setCorrelationId(toUuid({ form: 'string', text: id }))
    .setStreamIdentifier(toIdentifier(streamName))

const batch = answer({
  name: 'BatchAppendResp: success',
  values: fc.tuple(addressed, written),
  encode: ([to, outcome]) => replies.encodeBatchSuccess(reply(to), outcome),
  decode: BatchAppendResp.deserializeBinary,
  expected: ([to, { revision, position }]) => {
    const success = new BatchAppendResp.Success()
    if (revision < 0) success.setNoStream(googleEmpty())
    else success.setCurrentRevision(String(revision))
    if (position === undefined) success.setNoPosition(googleEmpty())
    else success.setPosition(pair(new shared.AllStreamPosition(), position))
    return batchReply(to).setSuccess(success)
  },
})

type Status = NonNullable<ReturnType<streamsPb.BatchAppendResp['getError']>>
/** google.rpc.Status and Any are not exported by the client: this reaches them through its generated code. */
const statusOf = (reason: BatchReason, details: Uint8Array): Status => {
  const { code, words, type } = batchErrorOf(reason)
  const error = BatchAppendResp.deserializeBinary(Buffer.from([0x12, 2, 0x1a, 0])).getError() as Status
  error.setCode(code as number).setMessage(words)
  error.getDetails()?.setTypeUrl(`type.googleapis.com/${type}`)
  error.getDetails()?.setValue(details)
  return error
}

const batchWrong = answer({
  name: 'BatchAppendResp: wrong expected version',
  values: fc.tuple(addressed, wrongExpected),
  encode: ([to, wrong]) => replies.encodeBatchWrongExpectedVersion(reply(to), wrong),
  decode: BatchAppendResp.deserializeBinary,
  expected: ([to, { current, expected }]) => {
    const wrong = new shared.WrongExpectedVersion()
    if (current < 0) wrong.setCurrentNoStream(googleEmpty())
    else wrong.setCurrentStreamRevision(String(current))
    if (expected === 'any') wrong.setExpectedAny(googleEmpty())
    else if (expected === 'stream exists') wrong.setExpectedStreamExists(googleEmpty())
    else if (expected === 'no stream') wrong.setExpectedNoStream(googleEmpty())
    else wrong.setExpectedStreamPosition(String(expected))
    const error = statusOf(
      { kind: 'wrong expected version', streamName: '', current, expected },
      wrong.serializeBinary(),
    )
    return batchReply(to).setError(error)
  },
})

const refusal: fc.Arbitrary<Refusal> = fc.oneof(
  text.map((details) => ({ kind: 'bad request' as const, details })),
  text.map((streamName) => ({ kind: 'stream deleted' as const, streamName })),
  text.map((property) => ({ kind: 'missing required metadata' as const, property })),
  text.map((reason) => ({ kind: 'failed' as const, reason })),
  fc.nat(2 ** 31 - 1).map((maximumBytes) => ({ kind: 'maximum append size exceeded' as const, maximumBytes })),
  fc.constantFrom(
    { kind: 'access denied' as const },
    { kind: 'timed out' as const },
    { kind: 'busy' as const },
    { kind: 'not ready' as const },
  ),
)
const detailsOf = (given: Refusal): { serializeBinary(): Uint8Array } => {
  switch (given.kind) {
    case 'access denied':
      return new shared.AccessDenied()
    case 'timed out':
      return new shared.Timeout()
    case 'stream deleted':
      return new shared.StreamDeleted().setStreamIdentifier(toIdentifier(given.streamName))
    case 'maximum append size exceeded':
      return new shared.MaximumAppendSizeExceeded().setMaxappendsize(given.maximumBytes)
    case 'busy':
    case 'not ready':
      return new shared.Empty()
    case 'failed':
      return new shared.Unknown()
    default:
      return new shared.BadRequest().setMessage(messageOf(given))
  }
}

// Empty fields are written, too: the content of the Any is compared as a message, not as bytes.
const unpacked = (message: streamsPb.BatchAppendResp): streamsPb.BatchAppendResp => {
  const any = message.getError()?.getDetails()
  const type = any?.getTypeUrl().split('.').at(-1) as keyof typeof shared
  any?.setValue((shared[type] as typeof shared.BadRequest).deserializeBinary(any.getValue_asU8()).serializeBinary())
  return message
}

const batchRefused = answer({
  name: 'BatchAppendResp: refused',
  values: fc.tuple(addressed, refusal),
  encode: ([to, given]) => replies.encodeBatchRefusal(reply(to), given),
  decode: (message) => unpacked(BatchAppendResp.deserializeBinary(message)),
  expected: ([to, given]) => {
    return batchReply(to).setError(statusOf(given, detailsOf(given).serializeBinary()))
  },
})

const deleted = answer({
  name: 'DeleteResp',
  values: place,
  encode: replies.encodeDeleted,
  decode: DeleteResp.deserializeBinary,
  expected: (position) => new DeleteResp().setPosition(pair(new DeleteResp.Position(), position)),
})

const recorded = fc.record({
  id: uuid,
  type: text,
  contentType: fc.constantFrom('application/json', 'application/octet-stream'),
  customMetadata: bytes,
  data: bytes,
  streamName: text,
  revision: fc.oneof(place, fc.constant(tombstoneRevision)),
  position: place,
  createdAtMs: fc.nat(2 ** 31 - 1).map((seconds) => seconds * 1_000),
})
type Recorded = typeof recorded extends fc.Arbitrary<infer Value> ? Value : never

const stored = (event: Recorded): Buffer =>
  encodeRecord({ ...event, id: Buffer.from(event.id.replaceAll('-', ''), 'hex') }, event)

const expectedRecord = (event: Recorded, idsAs: 'string' | 'structured') => {
  const record = pair(new ReadResp.ReadEvent.RecordedEvent(), event.position)
  const id = Buffer.from(event.id.replaceAll('-', ''), 'hex')
  // The halves are signed in the protocol: int64.
  const halves = [id.readBigInt64BE(0), id.readBigInt64BE(8)] as const
  record.setId(toUuid(idsAs === 'string' ? { form: 'string', text: event.id } : { form: 'structured', halves }))
  record.setStreamIdentifier(toIdentifier(event.streamName))
  record.setStreamRevision(event.revision === tombstoneRevision ? String(2n ** 63n - 1n) : String(event.revision))
  record.setCustomMetadata(event.customMetadata).setData(event.data)
  const ticks = BigInt(event.createdAtMs) * 10_000n
  record.getMetadataMap().set('type', event.type).set('content-type', event.contentType).set('created', String(ticks))
  return record
}

const read = answer({
  name: 'ReadResp: event',
  values: fc.record({
    position: place,
    event: fc.option(recorded, { nil: undefined }),
    link: fc.option(recorded, { nil: undefined }),
    idsAs: fc.constantFrom('string' as const, 'structured' as const),
  }),
  encode: ({ position, event, link, idsAs }) =>
    encodeReadEvent({ position, event: event && stored(event), link: link && stored(link) }, idsAs),
  decode: ReadResp.deserializeBinary,
  expected: ({ position, event, link, idsAs }) => {
    const sent = new ReadResp.ReadEvent().setCommitPosition(String(position))
    if (event) sent.setEvent(expectedRecord(event, idsAs))
    if (link) sent.setLink(expectedRecord(link, idsAs))
    return new ReadResp().setEvent(sent)
  },
})

const readAnswer = <Value>(
  name: string,
  values: fc.Arbitrary<Value>,
  encode: (value: Value) => Uint8Array,
  set: (to: streamsPb.ReadResp, value: Value) => streamsPb.ReadResp,
): Entry =>
  answer({
    name: `ReadResp: ${name}`,
    values,
    encode,
    decode: ReadResp.deserializeBinary,
    expected: (value) => set(new ReadResp(), value),
  })

const supported = answer({
  name: 'SupportedMethods',
  values: fc.tuple(
    text,
    fc.array(fc.record({ service: text, method: text, features: fc.array(text, { maxLength: 3 }) }), { maxLength: 3 }),
  ),
  encode: ([version, methods]) => replies.encodeSupportedMethods(version, methods),
  decode: serverFeatures.SupportedMethods.deserializeBinary,
  expected: ([version, methods]) =>
    new serverFeatures.SupportedMethods()
      .setEventStoreServerVersion(version)
      .setMethodsList(
        methods.map(({ service, method, features }) =>
          new serverFeatures.SupportedMethod().setServiceName(service).setMethodName(method).setFeaturesList(features),
        ),
      ),
})

export const answers: readonly Entry[] = [
  append,
  appendWrong,
  batch,
  batchWrong,
  batchRefused,
  deleted,
  read,
  readAnswer('confirmation', text, replies.encodeConfirmation, (to, id) =>
    to.setConfirmation(new ReadResp.SubscriptionConfirmation().setSubscriptionId(id)),
  ),
  readAnswer('checkpoint', place, replies.encodeCheckpoint, (to, position) =>
    to.setCheckpoint(pair(new ReadResp.Checkpoint(), position)),
  ),
  readAnswer('stream not found', text, replies.encodeStreamNotFound, (to, name) =>
    to.setStreamNotFound(new ReadResp.StreamNotFound().setStreamIdentifier(toIdentifier(name))),
  ),
  readAnswer('first of stream', place, replies.encodeFirstStreamPosition, (to, revision) =>
    to.setFirstStreamPosition(String(revision)),
  ),
  readAnswer('last of stream', place, replies.encodeLastStreamPosition, (to, revision) =>
    to.setLastStreamPosition(String(revision)),
  ),
  readAnswer('last of $all', place, replies.encodeLastAllPosition, (to, position) =>
    to.setLastAllStreamPosition(pair(new shared.AllStreamPosition(), position)),
  ),
  readAnswer(
    'caught up',
    fc.constant(undefined),
    () => replies.caughtUp,
    (to) => to.setCaughtUp(new ReadResp.CaughtUp()),
  ),
  supported,
]
