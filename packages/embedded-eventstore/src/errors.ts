// The gRPC statuses and `exception` trailers by which EventStoreDB reports what went wrong (§2.8).
import { Metadata, status } from '@grpc/grpc-js'
import type { Refusal } from './append-rules.ts'
import type { Expected } from './messages.ts'

export type Failure = { code: status; details: string; metadata: Metadata }

// HTTP/2 refuses values that are not printable ASCII or that begin or end with a space.
const trailerValue = (value: string): string =>
  value.toWellFormed().replace(/[^\x20-\x7e]|^ | $/gu, (character) => encodeURIComponent(character))

export const failure = (code: status, details: string, trailers: Record<string, string> = {}): Failure => {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, trailerValue(value))
  return { code, details: details.toWellFormed(), metadata }
}

export const invalidArgument = (details: string): Failure => failure(status.INVALID_ARGUMENT, details)
export const stopping = (): Failure => failure(status.UNAVAILABLE, 'The server is stopping.')

export const refusalMessage = (refusal: Refusal): string => {
  switch (refusal.kind) {
    case 'bad request':
      return refusal.details
    case 'access denied':
      return 'Access Denied'
    case 'stream deleted':
      return `Event stream '${refusal.streamName}' is deleted.`
    case 'missing required metadata':
      return `Required Metadata Property '${refusal.property}' is missing`
    case 'maximum append size exceeded':
      return `Maximum Append Size of ${refusal.maximumBytes} Exceeded.`
    case 'timed out':
      return 'Operation timed out: nothing was written.'
    case 'busy':
      return 'The server is too busy; nothing was written.'
    case 'failed':
      return `Nothing was written: ${refusal.reason}`
  }
}

const refusalStatus = {
  'bad request': status.INVALID_ARGUMENT,
  'access denied': status.PERMISSION_DENIED,
  'stream deleted': status.FAILED_PRECONDITION,
  'missing required metadata': status.INVALID_ARGUMENT,
  'maximum append size exceeded': status.INVALID_ARGUMENT,
  'timed out': status.ABORTED,
  busy: status.UNAVAILABLE,
  failed: status.UNKNOWN,
} as const satisfies Record<Refusal['kind'], status>

const refusalTrailers = (refusal: Refusal): Record<string, string> => {
  switch (refusal.kind) {
    case 'access denied':
      return { exception: 'access-denied' }
    case 'stream deleted':
      return { exception: 'stream-deleted', 'stream-name': refusal.streamName }
    case 'missing required metadata':
      return {
        exception: 'missing-required-metadata-property',
        'required-metadata-properties': 'type,content-type',
      }
    case 'maximum append size exceeded':
      return {
        exception: 'maximum-append-size-exceeded',
        'maximum-append-size': String(refusal.maximumBytes),
      }
    default:
      return {}
  }
}

export const refusalFailure = (refusal: Refusal): Failure =>
  failure(refusalStatus[refusal.kind], refusalMessage(refusal), refusalTrailers(refusal))

/** Thrown where a call is served, when it ends with `failure`. */
export class Refused extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.details)
    this.failure = failure
  }
}

export const streamDeleted = (streamName: string): Refused =>
  new Refused(refusalFailure({ kind: 'stream deleted', streamName }))

export const failureOf = (error: unknown): Failure =>
  error instanceof Refused
    ? error.failure
    : invalidArgument(`The message cannot be served: ${error instanceof Error ? error.message : String(error)}`)

const expectedText = (expected: Expected): string => {
  if (expected === 'no stream') return '-1'
  if (expected === 'any') return '-2'
  return expected === 'stream exists' ? '-4' : String(expected)
}

/** Deletions answer it as a status; appends have a message for it. */
export const wrongExpectedVersion = (streamName: string, expected: Expected, current: number): Failure =>
  failure(
    status.FAILED_PRECONDITION,
    `Wrong expected version of stream '${streamName}': ${expectedText(expected)} is expected, ${current} is there.`,
    {
      exception: 'wrong-expected-version',
      'stream-name': streamName,
      'expected-version': expectedText(expected),
      'actual-version': String(current),
    },
  )
