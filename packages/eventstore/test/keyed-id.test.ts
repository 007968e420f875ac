// Keyed IDs: stable under one key, and unreadable without it.
import { expect, test } from 'vitest'
import { keyedId } from '../src/keyed-id.ts'

const key = 'a key that is long enough for this'

test('a keyed ID is the HMAC-SHA-256 that all services and releases must agree on', () => {
  expect(keyedId(key, '555555AA')).toBe('540445a70a86a65f092d77610332028f62da14ecda620ef161caa48b4ff376b0')
})

test('a keyed ID differs by secret and by key', () => {
  const ids = [keyedId(key, '555555AA'), keyedId(key, '555555AB'), keyedId(`${key}!`, '555555AA')]
  expect(new Set(ids).size).toBe(3)
})
