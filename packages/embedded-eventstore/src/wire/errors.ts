// The gRPC statuses, texts and `exception` trailers of EventStoreDB 24.6, which other clients read.
import { Metadata, status } from '@grpc/grpc-js'
import type { Refusal } from '../streams/append-rules.ts'
import type { Expected } from './messages.ts'

export type Failure = { code: status; details: string; metadata: Metadata }

// HTTP/2 refuses values that are not printable ASCII or that begin or end with a space.
const trailerValue = (value: string): string =>
  value.toWellFormed().replace(/[^\x20-\x7e]|^ | $/gu, (character) => encodeURIComponent(character))

const failure = (code: status, details: string, trailers: Record<string, string> = {}): Failure => {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, trailerValue(value))
  return { code, details: details.toWellFormed(), metadata }
}

type GroupName = { readonly streamName: string; readonly groupName: string }

/** The reason of a failed call. */
export type Reason =
  | Refusal
  | { kind: 'wrong expected version'; streamName: string; expected: Expected; current: number }
  | { kind: 'stopping' }
  | { kind: 'wrong credentials' }
  | { kind: 'unimplemented method' }
  | { kind: 'unimplemented service' }
  | ({ kind: 'group exists' } & GroupName)
  | ({ kind: 'group does not exist' } & GroupName)
  | ({ kind: 'group has its consumers' } & GroupName)
  | ({ kind: 'group dropped' } & GroupName)
  | ({ kind: 'group failed'; reason: string } & GroupName)
  | { kind: 'group on $all by name'; method: 'Create' | 'Update' | 'Delete' }
  | { kind: 'projection not found'; name: string }
  | { kind: 'own projection' }
  | { kind: 'deletion of a system projection' }

type Row<Each extends Reason> = {
  readonly code: status
  readonly words: (reason: Each) => string
  readonly exception?: string
  readonly trailers?: (reason: Each) => Record<string, string>
  /** The error of a single append in a batch; `words` only where the text differs, `type` is the message type of the details. */
  readonly inBatch?: { readonly code: status; readonly words?: string; readonly type: string }
}

const expectedText = (expected: Expected): string => {
  if (expected === 'no stream') return '-1'
  if (expected === 'any') return '-2'
  return expected === 'stream exists' ? '-4' : String(expected)
}
const ofGroup = ({ streamName, groupName }: GroupName) => ({ 'stream-name': streamName, 'group-name': groupName })
const theGroup = ({ streamName, groupName }: GroupName): string =>
  `Subscription group ${groupName} on stream ${streamName}`
const typeName = (message: string): string => `event_store.client.${message}`
// EventStoreDB leaves the code unset here; only the text has the reason.
const unhandled = { code: status.OK, type: 'google.protobuf.Empty' }
const badRequest = { code: status.INVALID_ARGUMENT, words: 'BadRequest', type: typeName('BadRequest') }

const table: { readonly [Kind in Reason['kind']]: Row<Extract<Reason, { kind: Kind }>> } = {
  'bad request': { code: status.INVALID_ARGUMENT, words: ({ details }) => details, inBatch: badRequest },
  'missing required metadata': {
    code: status.INVALID_ARGUMENT,
    words: ({ property }) => `Required Metadata Property '${property}' is missing`,
    exception: 'missing-required-metadata-property',
    trailers: () => ({ 'required-metadata-properties': 'type,content-type' }),
    inBatch: badRequest,
  },
  'maximum append size exceeded': {
    code: status.INVALID_ARGUMENT,
    words: ({ maximumBytes }) => `Maximum Append Size of ${maximumBytes} Exceeded.`,
    exception: 'maximum-append-size-exceeded',
    trailers: ({ maximumBytes }) => ({ 'maximum-append-size': String(maximumBytes) }),
    inBatch: {
      code: status.INVALID_ARGUMENT,
      words: 'MaximumAppendSizeExceeded',
      type: typeName('MaximumAppendSizeExceeded'),
    },
  },
  'access denied': {
    code: status.PERMISSION_DENIED,
    words: () => 'Access Denied',
    exception: 'access-denied',
    inBatch: { code: status.PERMISSION_DENIED, words: 'AccessDenied', type: typeName('AccessDenied') },
  },
  'stream deleted': {
    code: status.FAILED_PRECONDITION,
    words: ({ streamName }) => `Event stream '${streamName}' is deleted.`,
    exception: 'stream-deleted',
    trailers: ({ streamName }) => ({ 'stream-name': streamName }),
    inBatch: { code: status.NOT_FOUND, words: 'StreamDeleted', type: typeName('StreamDeleted') },
  },
  // Only for deletions: appends have a message for it.
  'wrong expected version': {
    code: status.FAILED_PRECONDITION,
    words: ({ streamName, expected, current }) =>
      `Delete failed due to WrongExpectedVersion. Stream: ${streamName}, Expected version: ${expectedText(expected)}, Actual version: ${current}`,
    exception: 'wrong-expected-version',
    trailers: ({ streamName, expected, current }) => ({
      'stream-name': streamName,
      'expected-version': expectedText(expected),
      'actual-version': String(current),
    }),
    inBatch: { code: status.ALREADY_EXISTS, words: 'WrongExpectedVersion', type: typeName('WrongExpectedVersion') },
  },
  'timed out': {
    code: status.ABORTED,
    words: () => 'Operation timed out: Request canceled by server',
    inBatch: { code: status.DEADLINE_EXCEEDED, words: 'Timeout', type: typeName('Timeout') },
  },
  busy: {
    code: status.UNAVAILABLE,
    words: () => 'Server Is Too Busy',
    inBatch: { ...unhandled, words: 'Server Is Busy' },
  },
  'not ready': {
    code: status.UNAVAILABLE,
    words: () => 'Server Is Not Ready',
    inBatch: { ...unhandled, words: 'Server Is Not Ready' },
  },
  failed: {
    code: status.UNKNOWN,
    words: ({ reason }) => `Nothing was written: ${reason}`,
    inBatch: { code: status.UNKNOWN, type: typeName('Unknown') },
  },
  stopping: { code: status.UNAVAILABLE, words: () => 'The server is stopping.' },
  'wrong credentials': { code: status.UNAUTHENTICATED, words: () => 'The credentials are wrong.' },
  'unimplemented method': { code: status.UNIMPLEMENTED, words: () => 'Method is unimplemented.' },
  'unimplemented service': { code: status.UNIMPLEMENTED, words: () => 'Service is unimplemented.' },
  'group exists': {
    code: status.ALREADY_EXISTS,
    words: (group) => `${theGroup(group)} exists.`,
    exception: 'persistent-subscription-exists',
    trailers: ofGroup,
  },
  'group does not exist': {
    code: status.NOT_FOUND,
    words: (group) => `${theGroup(group)} does not exist.`,
    exception: 'persistent-subscription-does-not-exist',
    trailers: ofGroup,
  },
  'group has its consumers': {
    code: status.FAILED_PRECONDITION,
    words: ({ streamName, groupName }) =>
      `Maximum subscriptions reached for subscription group ${groupName} on stream ${streamName}.`,
    exception: 'maximum-subscribers-reached',
    trailers: ofGroup,
  },
  'group dropped': {
    code: status.CANCELLED,
    words: (group) => `${theGroup(group)} was dropped.`,
    exception: 'persistent-subscription-dropped',
    trailers: ofGroup,
  },
  'group failed': {
    code: status.INTERNAL,
    words: (group) => `${theGroup(group)} failed: '${group.reason}'`,
    exception: 'persistent-subscription-failed',
    trailers: (group) => ({ ...ofGroup(group), reason: group.reason }),
  },
  'group on $all by name': {
    code: status.UNKNOWN,
    words: ({ method }) =>
      `Envelope callback expected either ${method}PersistentSubscriptionToAllCompleted or NotHandled, received ${method}PersistentSubscriptionToStreamCompleted instead`,
  },
  'projection not found': { code: status.NOT_FOUND, words: ({ name }) => `Projection '${name}' not found` },
  'own projection': {
    code: status.UNIMPLEMENTED,
    words: () => 'Projections of your own are not served yet: there are the system projections only.',
  },
  'deletion of a system projection': {
    code: status.UNKNOWN,
    words: () => 'System projections cannot be deleted. They can be disabled.',
  },
}

const rowOf = <Kind extends Reason['kind']>({ kind }: { kind: Kind }) => table[kind] as unknown as Row<Reason>

export const messageOf = (reason: Reason): string => rowOf(reason).words(reason)

export const failureFor = (reason: Reason): Failure => {
  const { code, words, exception, trailers } = rowOf(reason)
  return failure(code, words(reason), { ...(exception === undefined ? {} : { exception }), ...trailers?.(reason) })
}

/** The reason of a failed append in a batch. */
export type BatchReason = Extract<Reason, Refusal | { kind: 'wrong expected version' }>

export const batchErrorOf = (reason: BatchReason) => {
  const { code = status.UNKNOWN, type = typeName('Unknown'), words = messageOf(reason) } = rowOf(reason).inBatch ?? {}
  return { code, type, words }
}

export const invalidArgument = (details: string): Failure => failureFor({ kind: 'bad request', details })

/** Thrown to fail a call. */
export class Refused extends Error {
  readonly failure: Failure
  constructor(reason: Reason) {
    const found = failureFor(reason)
    super(found.details)
    this.failure = found
  }
}

export const failureOf = (error: unknown): Failure =>
  error instanceof Refused
    ? error.failure
    : invalidArgument(`The message cannot be served: ${error instanceof Error ? error.message : String(error)}`)
