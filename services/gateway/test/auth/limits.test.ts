// What is counted by address: one counter for what one party has, none that another could fill, and no growth.
import { expect, test } from 'vitest'
import { createApplyLimit, createPlaces } from '../../src/auth/limits.ts'

test('limits the applications of an address per hour, and says how long to wait', async () => {
  const limit = createApplyLimit(3)
  for (let n = 0; n < 3; n++) expect(await limit.count('192.0.2.1')).toBe(0)
  const wait = await limit.count('::ffff:192.0.2.1')
  expect(wait).toBeGreaterThan(0)
  expect(wait).toBeLessThanOrEqual(3_600)
  // Others share a counter by a chance of one in tens of thousands: not three of them.
  const others = await Promise.all(['192.0.2.2', '2001:db8::1', '198.51.100.7'].map((one) => limit.count(one)))
  expect(others).toContain(0)
})

test('gives each caller a limited number of places, again when one is returned, and forgets callers without any', () => {
  const places = createPlaces(2)
  expect([places.take('a'), places.take('a'), places.take('a'), places.take('b')]).toEqual([true, true, false, true])
  places.give('a')
  expect(places.take('a')).toBe(true)
  expect(places.take('a')).toBe(false)
})
