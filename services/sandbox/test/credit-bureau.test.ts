// The credit bureau's stand-in scores by the first digit and misbehaves when told to.
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { expect, onTestFinished, test } from 'vitest'
import { createSandbox } from '../src/sandbox.ts'

const start = async () => {
  const sandbox = await createSandbox(createLogger({ service: 'sandbox', level: 'silent' }))
  onTestFinished(() => sandbox.close())
  const behave = (payload: object) => sandbox.inject({ method: 'PUT', url: '/v1/behaviour', payload })
  const score = (nationalId: string, key = 'a key') =>
    sandbox.inject({ method: 'POST', url: '/v1/scores', payload: { nationalId }, headers: { 'idempotency-key': key } })
  return { sandbox, behave, score }
}

test.each([
  ['999999AA', 9],
  ['666666AA', 6],
  ['555555AA', 5],
  ['111111AA', 1],
  ['012345AA', 10],
])('%s scores %i', async (nationalId, score) => {
  const bureau = await start()
  const answer = await bureau.score(nationalId)
  expect(answer.json()).toEqual({ score, checkedAt: expect.stringMatching(/^\d{4}-.+Z$/) })
})

test('a repeated key is answered with the same check', async () => {
  const bureau = await start()
  await bureau.behave({ mode: 'normal', delayMs: 10 })
  const first = (await bureau.score('555555AA')).json()
  expect((await bureau.score('555555AA')).json()).toEqual(first)
  expect((await bureau.score('555555AA', 'another key')).json().checkedAt).not.toBe(first.checkedAt)
})

test('it fails, answers garbage, and is well again', async () => {
  const bureau = await start()
  await bureau.behave({ mode: 'failing', delayMs: 0 })
  expect((await bureau.score('555555AA')).statusCode).toBe(500)
  await bureau.behave({ mode: 'garbage', delayMs: 0 })
  expect((await bureau.score('555555AA')).headers['content-type']).toMatch('text/html')
  await bureau.behave({ mode: 'normal', delayMs: 0 })
  expect((await bureau.score('555555AA')).json()).toMatchObject({ score: 5 })
})

test('when it is slow and the caller leaves, nothing is left waiting', async () => {
  const { sandbox, behave } = await start()
  await behave({ mode: 'slow', delayMs: 60_000 })
  const address = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  const asked = new Promise((resolve) => sandbox.server.once('request', resolve))
  const caller = new AbortController()
  const answer = fetch(`${address}/v1/scores`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'a key' },
    body: JSON.stringify({ nationalId: '555555AA' }),
    signal: caller.signal,
  })
  await asked
  caller.abort()
  await expect(answer).rejects.toThrow('aborted')
  await sandbox.close()
})

test('what it does not know is refused', async () => {
  const bureau = await start()
  expect((await bureau.behave({ mode: 'moody' })).statusCode).toBe(422)
  expect((await bureau.score('5')).statusCode).toBe(422)
  expect(
    (await bureau.sandbox.inject({ method: 'POST', url: '/v1/scores', payload: { nationalId: '555555AA' } }))
      .statusCode,
  ).toBe(422)
})
