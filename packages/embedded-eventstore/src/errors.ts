// The gRPC statuses and `exception` trailers by which EventStoreDB reports what went wrong (§2.8).
import { Metadata, status } from '@grpc/grpc-js'
import type { Refusal } from './append-rules.ts'

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
    case 'missing required metadata':
      return `Required Metadata Property '${refusal.property}' is missing`
    case 'maximum append size exceeded':
      return `Maximum Append Size of ${refusal.maximumBytes} Exceeded.`
    case 'timed out':
      return 'Operation timed out: the append was not written.'
    case 'busy':
      return 'The server is too busy; the append was not written.'
    case 'failed':
      return `The append was not written: ${refusal.reason}`
  }
}

const refusalStatus = {
  'bad request': status.INVALID_ARGUMENT,
  'access denied': status.PERMISSION_DENIED,
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

export const malformed = (error: unknown): Failure =>
  invalidArgument(`The message cannot be served: ${error instanceof Error ? error.message : String(error)}`)
