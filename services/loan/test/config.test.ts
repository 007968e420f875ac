// The loan service's settings: what development may do and production refuses.
import { parseConfig } from '@headwater/http-kit/config'
import { expect, test } from 'vitest'
import { config } from '../src/config.ts'

const settings = { APPLICANT_KEY: 'x'.repeat(32) }

test('a fault point is for tests', () => {
  expect(parseConfig(config, { ...settings, FAULT_POINT: 'reserved:SIGKILL' }).FAULT_POINT).toBe('reserved:SIGKILL')
  for (const [NODE_ENV, FAULT_POINT] of [
    ['production', 'reserved:SIGKILL'],
    ['development', 'reserved'],
    ['development', 'elsewhere:SIGKILL'],
    ['development', 'reserved:SIGHUP'],
  ])
    expect(() => parseConfig(config, { ...settings, NODE_ENV, FAULT_POINT })).toThrow(/^FAULT_POINT/)
})

test('there is no default for the key of applicants, and no short one', () => {
  for (const APPLICANT_KEY of [undefined, '', 'x'.repeat(31)])
    expect(() => parseConfig(config, { APPLICANT_KEY })).toThrow(/^APPLICANT_KEY/)
})
