// Every failure has the status, text and trailers of EventStoreDB 24.6, or the node's own where noted.
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { type BatchReason, batchErrorOf, failureFor, messageOf, type Reason } from '../src/wire/errors.ts'

const group = { streamName: 's', groupName: 'g' }
const ofGroup = (exception: string, more = {}) => ({ exception, 'stream-name': 's', 'group-name': 'g', ...more })

type Expected = readonly [
  reason: Reason,
  code: status,
  words: string,
  trailers: Record<string, string>,
  inBatch?: unknown,
]

const failures: { readonly [Kind in Reason['kind']]: Expected } = {
  // The node's own text: EventStoreDB answers UNKNOWN, `Exception was thrown by handler.`
  'bad request': [
    { kind: 'bad request', details: 'The request names no stream.' },
    status.INVALID_ARGUMENT,
    'The request names no stream.',
    {},
    { code: status.INVALID_ARGUMENT, words: 'BadRequest', type: 'event_store.client.BadRequest' },
  ],
  'missing required metadata': [
    { kind: 'missing required metadata', property: 'type' },
    status.INVALID_ARGUMENT,
    "Required Metadata Property 'type' is missing",
    { exception: 'missing-required-metadata-property', 'required-metadata-properties': 'type,content-type' },
    { code: status.INVALID_ARGUMENT, words: 'BadRequest', type: 'event_store.client.BadRequest' },
  ],
  'maximum append size exceeded': [
    { kind: 'maximum append size exceeded', maximumBytes: 1_048_576 },
    status.INVALID_ARGUMENT,
    'Maximum Append Size of 1048576 Exceeded.',
    { exception: 'maximum-append-size-exceeded', 'maximum-append-size': '1048576' },
    {
      code: status.INVALID_ARGUMENT,
      words: 'MaximumAppendSizeExceeded',
      type: 'event_store.client.MaximumAppendSizeExceeded',
    },
  ],
  'access denied': [
    { kind: 'access denied' },
    status.PERMISSION_DENIED,
    'Access Denied',
    { exception: 'access-denied' },
    { code: status.PERMISSION_DENIED, words: 'AccessDenied', type: 'event_store.client.AccessDenied' },
  ],
  'stream deleted': [
    { kind: 'stream deleted', streamName: 's' },
    status.FAILED_PRECONDITION,
    "Event stream 's' is deleted.",
    { exception: 'stream-deleted', 'stream-name': 's' },
    { code: status.NOT_FOUND, words: 'StreamDeleted', type: 'event_store.client.StreamDeleted' },
  ],
  'wrong expected version': [
    { kind: 'wrong expected version', streamName: 'none', expected: 'any', current: -1 },
    status.FAILED_PRECONDITION,
    'Delete failed due to WrongExpectedVersion. Stream: none, Expected version: -2, Actual version: -1',
    {
      exception: 'wrong-expected-version',
      'stream-name': 'none',
      'expected-version': '-2',
      'actual-version': '-1',
    },
    { code: status.ALREADY_EXISTS, words: 'WrongExpectedVersion', type: 'event_store.client.WrongExpectedVersion' },
  ],
  'timed out': [
    { kind: 'timed out' },
    status.ABORTED,
    'Operation timed out: Request canceled by server',
    {},
    { code: status.DEADLINE_EXCEEDED, words: 'Timeout', type: 'event_store.client.Timeout' },
  ],
  busy: [
    { kind: 'busy' },
    status.UNAVAILABLE,
    'Server Is Too Busy',
    {},
    { code: status.OK, words: 'Server Is Busy', type: 'google.protobuf.Empty' },
  ],
  'not ready': [
    { kind: 'not ready' },
    status.UNAVAILABLE,
    'Server Is Not Ready',
    {},
    { code: status.OK, words: 'Server Is Not Ready', type: 'google.protobuf.Empty' },
  ],
  // The node's own: a disk that fails.
  failed: [
    { kind: 'failed', reason: 'the disk is full' },
    status.UNKNOWN,
    'Nothing was written: the disk is full',
    {},
    { code: status.UNKNOWN, words: 'Nothing was written: the disk is full', type: 'event_store.client.Unknown' },
  ],
  // The node's own: EventStoreDB resets the streams.
  stopping: [{ kind: 'stopping' }, status.UNAVAILABLE, 'The server is stopping.', {}],
  'wrong credentials': [{ kind: 'wrong credentials' }, status.UNAUTHENTICATED, 'The credentials are wrong.', {}],
  'unimplemented method': [{ kind: 'unimplemented method' }, status.UNIMPLEMENTED, 'Method is unimplemented.', {}],
  'unimplemented service': [{ kind: 'unimplemented service' }, status.UNIMPLEMENTED, 'Service is unimplemented.', {}],
  'group exists': [
    { kind: 'group exists', ...group },
    status.ALREADY_EXISTS,
    'Subscription group g on stream s exists.',
    ofGroup('persistent-subscription-exists'),
  ],
  'group does not exist': [
    { kind: 'group does not exist', ...group },
    status.NOT_FOUND,
    'Subscription group g on stream s does not exist.',
    ofGroup('persistent-subscription-does-not-exist'),
  ],
  'group has its consumers': [
    { kind: 'group has its consumers', ...group },
    status.FAILED_PRECONDITION,
    'Maximum subscriptions reached for subscription group g on stream s.',
    ofGroup('maximum-subscribers-reached'),
  ],
  'group dropped': [
    { kind: 'group dropped', ...group },
    status.CANCELLED,
    'Subscription group g on stream s was dropped.',
    ofGroup('persistent-subscription-dropped'),
  ],
  'group failed': [
    { kind: 'group failed', ...group, reason: 'why' },
    status.INTERNAL,
    "Subscription group g on stream s failed: 'why'",
    ofGroup('persistent-subscription-failed', { reason: 'why' }),
  ],
  'group on $all by name': [
    { kind: 'group on $all by name', method: 'Delete' },
    status.UNKNOWN,
    'Envelope callback expected either DeletePersistentSubscriptionToAllCompleted or NotHandled, received DeletePersistentSubscriptionToStreamCompleted instead',
    {},
  ],
  'projection not found': [
    { kind: 'projection not found', name: 'p' },
    status.NOT_FOUND,
    "Projection 'p' not found",
    {},
  ],
  // The node's own.
  'own projection': [
    { kind: 'own projection' },
    status.UNIMPLEMENTED,
    'Projections of your own are not served yet: there are the system projections only.',
    {},
  ],
  'deletion of a system projection': [
    { kind: 'deletion of a system projection' },
    status.UNKNOWN,
    'System projections cannot be deleted. They can be disabled.',
    {},
  ],
}

test.each(Object.entries(failures))('%s', (_, [reason, code, words, trailers, inBatch]) => {
  const { metadata, ...said } = failureFor(reason)
  expect(said).toEqual({ code, details: words })
  expect(metadata.getMap()).toEqual(trailers)
  expect(messageOf(reason)).toBe(words)
  if (inBatch !== undefined) expect(batchErrorOf(reason as BatchReason)).toEqual(inBatch)
})
