// Which errors of the official client leave open whether the call did anything.
import { DeadlineExceededError, StreamDeletedError, UnknownError } from '@eventstore/db-client'
import { expect, test } from 'vitest'
import { isOutage } from '../src/client/connection.ts'

const withCode = (code: number) => Object.assign(new Error('from gRPC'), { code })

test.each([1, 2, 4, 10, 14])('gRPC status %i is an outage', (code) => expect(isOutage(withCode(code))).toBe(true))

test.each([3, 5, 6, 7, 9, 12, 13, 16])('gRPC status %i is an answer', (code) =>
  expect(isOutage(withCode(code))).toBe(false),
)

test('a time-out and an unknown outcome inside the answer to a batched append are outages, though they have no code', () => {
  expect(isOutage(new DeadlineExceededError())).toBe(true)
  expect(isOutage(new UnknownError())).toBe(true)
  expect(isOutage(StreamDeletedError.fromStreamName('thing-1'))).toBe(false)
})

test('writing on a stream that is gone is an outage', () => {
  expect(isOutage(new Error('write after end'))).toBe(true)
  expect(isOutage(new Error('anything else'))).toBe(false)
})
