// Classifies errors of the official client into outages with an unknown outcome and answers.
import { DeadlineExceededError, StreamDeletedError, UnknownError } from '@eventstore/db-client'
import { expect, test } from 'vitest'
import { isOutage } from '../src/client/connection.ts'

const withCode = (code: number) => Object.assign(new Error('from gRPC'), { code })

test.each([1, 2, 4, 10, 14])('gRPC status %i is an outage', (code) => expect(isOutage(withCode(code))).toBe(true))

test.each([3, 5, 6, 7, 9, 12, 13, 16])('gRPC status %i is an answer', (code) =>
  expect(isOutage(withCode(code))).toBe(false),
)

test('a time-out and an unknown outcome in the answer to a batched append are outages, though they have no code', () => {
  expect(isOutage(new DeadlineExceededError())).toBe(true)
  expect(isOutage(new UnknownError())).toBe(true)
  expect(isOutage(StreamDeletedError.fromStreamName('thing-1'))).toBe(false)
})

test('a write to an ended stream is an outage', () => {
  expect(isOutage(new Error('write after end'))).toBe(true)
  expect(isOutage(new Error('anything else'))).toBe(false)
})
