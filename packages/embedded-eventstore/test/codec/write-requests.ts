// The requests that write: Append, BatchAppend, Delete and Tombstone.
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import fc from 'fast-check'
import {
  decodeAppendRequest,
  decodeBatchAppendRequest,
  decodeDeleteRequest,
  type Expected,
} from '../../src/wire/messages.ts'
import { type Entry, refused, request } from './entry.ts'
import { bytes, googleEmpty, id, idBytes, text, toIdentifier, toTimestamp, toUuid, u64 } from './values.ts'

const { AppendReq, BatchAppendReq, DeleteReq, TombstoneReq } = streamsPb

const expectedRevision = fc.oneof(
  fc.constantFrom<(Expected | undefined)[]>(undefined, 'any', 'no stream', 'stream exists'),
  u64,
)
const options = fc.record({ streamName: text, expected: expectedRevision })
type Options = { streamName: string; expected: Expected | undefined }

type Settable = {
  setNoStream(value: never): unknown
  setAny(value: never): unknown
  setStreamExists(value: never): unknown
}
const setExpected = (to: Settable, expected: Expected | undefined, setRevision: (text: string) => void) => {
  if (expected === 'no stream') to.setNoStream(googleEmpty())
  else if (expected === 'any') to.setAny(googleEmpty())
  else if (expected === 'stream exists') to.setStreamExists(googleEmpty())
  else if (expected !== undefined) setRevision(String(expected))
}

const proposed = fc.record({
  id,
  metadata: fc.dictionary(text, text, { maxKeys: 3 }),
  type: fc.option(text, { nil: undefined }),
  contentType: fc.option(fc.oneof(fc.constantFrom('application/json', 'application/octet-stream'), text), {
    nil: undefined,
  }),
  customMetadata: bytes,
  data: bytes,
})
type Proposed = typeof proposed extends fc.Arbitrary<infer Value> ? Value : never

const fillProposed = <Message extends streamsPb.AppendReq.ProposedMessage | streamsPb.BatchAppendReq.ProposedMessage>(
  message: Message,
  { id, metadata, type, contentType, customMetadata, data }: Proposed,
): Message => {
  message.setId(toUuid(id))
  const map = message.getMetadataMap()
  for (const [key, value] of Object.entries(metadata)) map.set(key, value)
  if (type !== undefined) map.set('type', type)
  if (contentType !== undefined) map.set('content-type', contentType)
  message.setCustomMetadata(customMetadata)
  message.setData(data)
  return message
}
const expectedEvent = ({ id, type, contentType, customMetadata, data }: Proposed) => {
  const found = idBytes(id)
  return found && { id: found, type, contentType, customMetadata, data }
}

const append = request<{ options: Options } | { event: Proposed } | 'nothing'>({
  name: 'AppendReq',
  values: fc.oneof(fc.record({ options }), fc.record({ event: proposed }), fc.constant('nothing' as const)),
  encode: (value) => {
    const message = new AppendReq()
    if (value === 'nothing') return message.serializeBinary()
    if ('event' in value) message.setProposedMessage(fillProposed(new AppendReq.ProposedMessage(), value.event))
    else {
      const { streamName, expected } = value.options
      const made = new AppendReq.Options().setStreamIdentifier(toIdentifier(streamName))
      setExpected(made, expected, (revision) => made.setRevision(revision))
      message.setOptions(made)
    }
    return message.serializeBinary()
  },
  decode: decodeAppendRequest,
  expected: (value) => {
    if (value === 'nothing') return undefined
    if ('options' in value) return value
    const event = expectedEvent(value.event)
    return event ? { event } : refused
  },
  nested: [[1], [1, 1], [2], [2, 1], [2, 1, 1], [2, 2]],
})

const nowMs = 1_800_000_000_000
const nanosMax = 999_999_999

const batch = request<{
  correlationId: typeof id extends fc.Arbitrary<infer Value> ? Value : never
  options: (Options & { deadline: readonly [seconds: number, nanos: number] | undefined }) | undefined
  events: Proposed[]
  isFinal: boolean
}>({
  name: 'BatchAppendReq',
  values: fc.record({
    correlationId: id,
    options: fc.option(
      fc.record({
        streamName: text,
        expected: expectedRevision,
        deadline: fc.option(fc.tuple(fc.integer({ min: 0, max: 2 ** 40 }), fc.integer({ min: 0, max: nanosMax })), {
          nil: undefined,
        }),
      }),
      { nil: undefined },
    ),
    events: fc.array(proposed, { maxLength: 4 }),
    isFinal: fc.boolean(),
  }),
  encode: ({ correlationId, options, events, isFinal }) => {
    const message = new BatchAppendReq().setCorrelationId(toUuid(correlationId)).setIsFinal(isFinal)
    if (options) {
      const made = new BatchAppendReq.Options().setStreamIdentifier(toIdentifier(options.streamName))
      setExpected(made, options.expected, (revision) => made.setStreamPosition(revision))
      if (options.deadline) made.setDeadline(toTimestamp(...options.deadline))
      message.setOptions(made)
    }
    for (const event of events) message.addProposedMessages(fillProposed(new BatchAppendReq.ProposedMessage(), event))
    return message.serializeBinary()
  },
  decode: (message) => {
    const { correlationId, ...rest } = decodeBatchAppendRequest(message, nowMs)
    // It is echoed, so it must be unchanged, with unknown fields.
    return { ...rest, correlationId: correlationId && shared.UUID.deserializeBinary(correlationId).toObject() }
  },
  expected: ({ correlationId, options, events, isFinal }) => {
    const expectedEvents = events.map(expectedEvent)
    if (expectedEvents.includes(undefined)) return refused
    const deadlineAtMs = options?.deadline && options.deadline[0] * 1000 + options.deadline[1] / 1e6
    return {
      correlationId: toUuid(correlationId).toObject(),
      options: options && { streamName: options.streamName, expected: options.expected, deadlineAtMs },
      events: expectedEvents,
      isFinal,
    }
  },
  nested: [[1], [2], [2, 1], [2, 6], [3], [3, 1], [3, 1, 1], [3, 2]],
})

const deletion = (name: string, Message: typeof DeleteReq | typeof TombstoneReq): Entry =>
  request<Options>({
    name,
    values: options,
    encode: ({ streamName, expected }) => {
      const made = new Message.Options().setStreamIdentifier(toIdentifier(streamName))
      setExpected(made, expected, (revision) => made.setRevision(revision))
      return new Message().setOptions(made as never).serializeBinary()
    },
    decode: decodeDeleteRequest,
    expected: (value) => value,
    nested: [[1], [1, 1]],
  })

export const writeRequests: readonly Entry[] = [
  append,
  batch,
  deletion('DeleteReq', DeleteReq),
  deletion('TombstoneReq', TombstoneReq),
]
