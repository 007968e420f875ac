// Encodes the answers of the Streams and ServerFeatures services, except events (field numbers: their published messages).

import { type BatchReason, batchErrorOf, messageOf } from '../wire/errors.ts'
import type { Expected } from '../wire/messages.ts'
import {
  createWriter,
  finish,
  u64Max,
  type Writer,
  writeBytes,
  writeEmpty,
  writeNested,
  writeStreamIdentifier,
  writeString,
  writeU64,
} from '../wire/wire.ts'
import type { Refusal } from './append-rules.ts'

export const message = (content: (writer: Writer) => void): Buffer => {
  const writer = createWriter()
  content(writer)
  return finish(writer)
}

export type Written = { revision: number; position: number | undefined }
export type WrongExpected = { current: number; expected: Expected }

const writePosition = (writer: Writer, position: number): void => {
  writeU64(writer, 1, position)
  writeU64(writer, 2, position)
}

// Success has the same fields in both replies: current_revision=1|no_stream=2, position=3|no_position=4.
const writeSuccess = (writer: Writer, { revision, position }: Written): void => {
  if (revision < 0) writeEmpty(writer, 2)
  else writeU64(writer, 1, revision)
  if (position === undefined) writeEmpty(writer, 4)
  else writeNested(writer, 3, (inner) => writePosition(inner, position))
}

export const encodeAppendSuccess = (written: Written): Buffer =>
  message((writer) => writeNested(writer, 1, (success) => writeSuccess(success, written)))

/** DeleteResp and TombstoneResp. */
export const encodeDeleted = (position: number): Buffer =>
  message((writer) => writeNested(writer, 1, (inner) => writePosition(inner, position)))

const writeCurrent = (writer: Writer, current: number, revision: number, noStream: number): void => {
  if (current < 0) writeEmpty(writer, noStream)
  else writeU64(writer, revision, current)
}

// The fields 1 to 5 repeat the answer in the format of version 20.6.
export const encodeWrongExpectedVersion = ({ current, expected }: WrongExpected): Buffer =>
  message((writer) =>
    writeNested(writer, 2, (wrong) => {
      writeCurrent(wrong, current, 1, 2)
      if (expected === 'any') writeEmpty(wrong, 4)
      else if (expected === 'stream exists') writeEmpty(wrong, 5)
      else writeU64(wrong, 3, expected === 'no stream' ? u64Max : expected)
      writeCurrent(wrong, current, 6, 7)
      if (expected === 'any') writeEmpty(wrong, 9)
      else if (expected === 'stream exists') writeEmpty(wrong, 10)
      else if (expected === 'no stream') writeEmpty(wrong, 11)
      else writeU64(wrong, 8, expected)
    }),
  )

type BatchReply = { correlationId: Buffer; streamName: string }

const batchReply = ({ correlationId, streamName }: BatchReply, content: (writer: Writer) => void): Buffer =>
  message((writer) => {
    writeBytes(writer, 1, correlationId)
    content(writer)
    writeStreamIdentifier(writer, 4, streamName)
  })

export const encodeBatchSuccess = (reply: BatchReply, written: Written): Buffer =>
  batchReply(reply, (writer) => writeNested(writer, 3, (success) => writeSuccess(success, written)))

// google.rpc.Status with a single Any, as in EventStoreDB.
const encodeBatchError = (reply: BatchReply, reason: BatchReason, details: (writer: Writer) => void): Buffer =>
  batchReply(reply, (writer) =>
    writeNested(writer, 2, (error) => {
      const { code, words, type } = batchErrorOf(reason)
      error.uint32(1 << 3).int32(code)
      writeString(error, 2, words)
      writeNested(error, 3, (any) => {
        writeString(any, 1, `type.googleapis.com/${type}`)
        writeNested(any, 2, details)
      })
    }),
  )

export const encodeBatchWrongExpectedVersion = (reply: BatchReply, { current, expected }: WrongExpected): Buffer =>
  encodeBatchError(
    reply,
    { kind: 'wrong expected version', streamName: reply.streamName, current, expected },
    (wrong) => {
      writeCurrent(wrong, current, 1, 2)
      if (expected === 'any') writeEmpty(wrong, 4)
      else if (expected === 'stream exists') writeEmpty(wrong, 5)
      else if (expected === 'no stream') writeEmpty(wrong, 6)
      else writeU64(wrong, 3, expected)
    },
  )

export const encodeBatchRefusal = (reply: BatchReply, refusal: Refusal): Buffer =>
  encodeBatchError(reply, refusal, (writer) => {
    if (refusal.kind === 'stream deleted') writeStreamIdentifier(writer, 1, refusal.streamName)
    else if (refusal.kind === 'maximum append size exceeded') writer.uint32(1 << 3).uint32(refusal.maximumBytes)
    else if (refusal.kind === 'bad request' || refusal.kind === 'missing required metadata') {
      writeString(writer, 1, messageOf(refusal))
    }
  })

export const encodeConfirmation = (subscriptionId: string): Buffer =>
  message((writer) => writeNested(writer, 2, (confirmation) => writeString(confirmation, 1, subscriptionId)))

export const encodeCheckpoint = (position: number): Buffer =>
  message((writer) => writeNested(writer, 3, (checkpoint) => writePosition(checkpoint, position)))

export const encodeStreamNotFound = (streamName: string): Buffer =>
  message((writer) => writeNested(writer, 4, (missing) => writeStreamIdentifier(missing, 1, streamName)))

export const encodeFirstStreamPosition = (revision: number): Buffer =>
  message((writer) => writeU64(writer, 5, revision))
export const encodeLastStreamPosition = (revision: number): Buffer => message((writer) => writeU64(writer, 6, revision))
export const encodeLastAllPosition = (position: number): Buffer =>
  message((writer) => writeNested(writer, 7, (last) => writePosition(last, position)))

export const caughtUp: Buffer = message((writer) => writeEmpty(writer, 8))

export type SupportedMethod = { service: string; method: string; features: string[] }

export const encodeSupportedMethods = (version: string, methods: SupportedMethod[]): Buffer =>
  message((writer) => {
    for (const { service, method, features } of methods) {
      writeNested(writer, 1, (supported) => {
        writeString(supported, 1, method)
        writeString(supported, 2, service)
        for (const feature of features) writeString(supported, 3, feature)
      })
    }
    writeString(writer, 2, version)
  })
