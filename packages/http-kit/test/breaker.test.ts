// The circuit breaker opens after failures in a row, tries one call at a time, and closes with the first success.
import { expect, test, vi } from 'vitest'
import { BreakerOpen, createBreaker, failuresMax, openMs } from '../src/outbound/breaker.ts'

const fails = () => Promise.reject(new Error('no'))
const works = async () => 'yes'

const startOpen = async () => {
  const clock = { nowMs: 0 }
  const breaker = createBreaker(() => clock.nowMs)
  for (let failure = 0; failure < failuresMax; failure++) await expect(breaker.call(fails)).rejects.toThrow('no')
  return { clock, breaker }
}

test('failures that are not in a row leave it closed', async () => {
  const breaker = createBreaker(() => 0)
  for (let round = 0; round < 2; round++) {
    for (let failure = 1; failure < failuresMax; failure++) await expect(breaker.call(fails)).rejects.toThrow('no')
    expect(await breaker.call(works)).toBe('yes')
  }
  expect(breaker.isOpen()).toBe(false)
})

test('open, it refuses without doing the work', async () => {
  const { clock, breaker } = await startOpen()
  const work = vi.fn(works)
  clock.nowMs = openMs - 1
  await expect(breaker.call(work)).rejects.toThrow(BreakerOpen)
  expect(work).not.toHaveBeenCalled()
})

test('after a while one call finds out; its success closes the breaker', async () => {
  const { clock, breaker } = await startOpen()
  clock.nowMs = openMs
  const found = Promise.withResolvers<string>()
  const finding = breaker.call(() => found.promise)
  await expect(breaker.call(works)).rejects.toThrow(BreakerOpen)
  found.resolve('well')
  expect(await finding).toBe('well')
  expect(await breaker.call(works)).toBe('yes')
})

test('its failure keeps the breaker open for another while', async () => {
  const { clock, breaker } = await startOpen()
  clock.nowMs = openMs
  await expect(breaker.call(fails)).rejects.toThrow('no')
  clock.nowMs = 2 * openMs - 1
  await expect(breaker.call(works)).rejects.toThrow(BreakerOpen)
  clock.nowMs = 2 * openMs
  expect(await breaker.call(works)).toBe('yes')
})

test('errors that are answers are none of its business, and show that the other side is well', async () => {
  const refusal = new Error('not like this')
  const breaker = createBreaker(
    () => 0,
    (error) => error !== refusal,
  )
  const refuses = () => Promise.reject(refusal)
  for (let failure = 1; failure < failuresMax; failure++) await expect(breaker.call(fails)).rejects.toThrow('no')
  for (let time = 0; time <= failuresMax; time++) await expect(breaker.call(refuses)).rejects.toThrow(refusal)
  await expect(breaker.call(fails)).rejects.toThrow('no')
  expect(breaker.isOpen()).toBe(false)
})
