// `npm run seed`: believable loans of every kind, the same for the same seed, also when they are sent again.
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { requestLoanInput } from '@headwater/deciders/loan/loan'
import { type System, startSystem, until } from '@headwater/test-kit/system'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loansMax, seedLoans } from '../seed/loans.ts'

const run = promisify(execFile)
const count = 80

let system: System
beforeAll(async () => {
  system = await startSystem({ without: ['consent', 'web'] })
}, 60_000)
afterAll(() => system?.stop())

const seed = async (...more: string[]) =>
  (
    await run(process.execPath, [path.resolve('scripts/seed.ts'), '--url', system.gateway.url, ...more], {
      env: {
        ...process.env,
        APPLICANT_TOKEN: await system.issuer.partnerTokenOf('seed', ['loans:write', 'loans:read']),
        UNDERWRITER_TOKEN: system.asUnderwriter.authorization.slice('Bearer '.length),
      },
    })
  ).stdout

describe('the loans', () => {
  test('are the same for the same seed, and others for another', () => {
    expect(seedLoans(1, 20)).toEqual(seedLoans(1, 20))
    expect(seedLoans(2, 20)).not.toEqual(seedLoans(1, 20))
  })

  test('are such as the API takes, of as many people', () => {
    const loans = seedLoans(1, loansMax)
    for (const { application } of loans.slice(0, 1_000))
      expect(requestLoanInput.parse(application)).toEqual(application)
    expect(new Set(loans.map(({ application }) => application.nationalId)).size).toBe(loansMax)
  })
})

test('sent at once they fill every part of the dashboard; sent again they stay what they are', async () => {
  const statistics = async () =>
    (await (
      await fetch(`${system.gateway.url}/api/underwriting/statistics`, { headers: system.asUnderwriter })
    ).json()) as {
      waiting: { count: number }
      byDay: { outcome: string; count: number }[]
      scores: { count: number }[]
    }
  const output = await seed('--count', String(count))
  expect(output).toMatch(/approved\n.*awaiting review\n.*denied\n.*withdrawn\n/)
  const waiting = Number(/(\d+) awaiting review/.exec(output)?.[1])
  await until('the dashboard knows all', async () => {
    const { byDay, waiting } = await statistics()
    return byDay.reduce((sum, day) => sum + day.count, waiting.count) === count
  })
  const before = await statistics()
  expect(before.waiting.count).toBe(waiting)
  expect(before.scores.every(({ count }) => count > 0)).toBe(true)
  expect(new Set(before.byDay.map(({ outcome }) => outcome))).toEqual(new Set(['approved', 'denied', 'withdrawn']))

  expect(await seed('--count', String(count))).toBe(output)
  expect(await statistics()).toEqual(before)
})

test('sent at a pace they come one after the other', async () => {
  expect(await seed('--count', '3', '--seed', '7', '--pace', '50')).toContain('3 loans were sent')
})

test.each([
  [['--count', '0'], /--count is a number above 0/],
  [['--url', 'http://127.0.0.1:1'], /does not answer/],
])('%j ends with what is wrong', async (options, text) => {
  await expect(seed(...options)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(text) })
})
