// Asking the credit bureau: an answer that means something, or CreditBureauUnavailable, within the time allowed.
import { randomUUID } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { failuresMax, openMs } from '@headwater/http-kit/outbound/breaker'
import { expect, onTestFinished, test } from 'vitest'
import { CreditBureauUnavailable, connectCreditBureau } from '../src/loan/credit-bureau.ts'
import { logger, startBureau } from './support.ts'

const connectTo = (url: string, nowMs = () => 0) => {
  const bureau = connectCreditBureau({ url, logger, nowMs })
  onTestFinished(() => bureau.close())
  const ask = () => bureau.scoreOf({ loanId: randomUUID(), nationalId: '555555AA', traceparent: '00-1-1-01' })
  return { ...bureau, ask }
}

const startThatAnswers = async (answer: RequestListener) => {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const says =
  (status: number, body: string): RequestListener =>
  (_request, response) =>
    response.writeHead(status).end(body)
const checkedAt = '2026-11-21T05:00:00.000Z'

test('the score comes back with the national id it belongs to', async () => {
  const { url } = await startBureau()
  expect(await connectTo(url).ask()).toEqual({ score: 5, nationalId: '555555AA', checkedAt: expect.any(String) })
})

test("the loan's id goes along as idempotency key, and the trace", async () => {
  const seen: unknown[] = []
  const url = await startThatAnswers((request, response) => {
    seen.push(request.method, request.url, request.headers['idempotency-key'], request.headers.traceparent)
    says(200, JSON.stringify({ score: 5, checkedAt }))(request, response)
  })
  const bureau = connectTo(`${url}/bureau`)
  await bureau.scoreOf({ loanId: 'loan 1', nationalId: '555555AA', traceparent: 'trace 1' })
  expect(seen).toEqual(['POST', '/bureau/v1/scores', 'loan 1', 'trace 1'])
})

test.each<[string, RequestListener]>([
  ['an error', says(500, '{}')],
  ['a redirect', says(302, '')],
  ['no JSON', says(200, '<html>')],
  ['nothing', says(200, '')],
  ['a score out of range', says(200, JSON.stringify({ score: 11, checkedAt }))],
  ['half a score', says(200, JSON.stringify({ score: 5.5, checkedAt }))],
  ['a score that is text', says(200, JSON.stringify({ score: '5', checkedAt }))],
  ['no time', says(200, JSON.stringify({ score: 5 }))],
  ['more than it should', says(200, JSON.stringify({ score: 5, checkedAt, padding: 'x'.repeat(20_000) }))],
  ['a broken line', (request) => request.socket.destroy()],
  ['half an answer, then silence', (_request, response) => response.writeHead(200).write('{')],
  ['silence', () => undefined],
])('%s is no answer', async (_what, answer) => {
  const url = await startThatAnswers(answer)
  await expect(connectTo(url).ask()).rejects.toThrow(CreditBureauUnavailable)
})

test('nobody at the address is no answer', async () => {
  await expect(connectTo('http://127.0.0.1:1').ask()).rejects.toThrow(CreditBureauUnavailable)
})

test('a bureau that fails is left alone for a while, then asked again', async () => {
  const { url, behave } = await startBureau()
  const clock = { nowMs: 0 }
  const bureau = connectTo(url, () => clock.nowMs)
  await behave('failing')
  for (let failure = 0; failure < failuresMax; failure++)
    await expect(bureau.ask()).rejects.toThrow(CreditBureauUnavailable)
  await behave('normal')
  expect(bureau.isGivenUp()).toBe(true)
  await expect(bureau.ask()).rejects.toThrow(CreditBureauUnavailable)
  clock.nowMs = openMs
  expect(await bureau.ask()).toMatchObject({ score: 5 })
  expect(bureau.isGivenUp()).toBe(false)
})

test.each([
  [400, false],
  [401, false],
  [404, false],
  [422, false],
  [408, true],
  [429, true],
  [500, true],
  [503, true],
])('a bureau that answers %i again and again is given up: %s', async (status, isGivenUp) => {
  const bureau = connectTo(await startThatAnswers(says(status, '{}')))
  for (let time = 0; time < failuresMax; time++) await expect(bureau.ask()).rejects.toThrow(CreditBureauUnavailable)
  expect(bureau.isGivenUp()).toBe(isGivenUp)
})
