// Signatures of webhooks: ours are what the reference library makes, and nothing else passes for genuine.
import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { formatSecret, signedHeaders, verify } from '../src/outbound/webhook-signature.ts'

const secret = formatSecret(randomBytes(32))
const other = formatSecret(randomBytes(32))
const now = new Date()
const message = { id: '3c1f3b1e-0000-5000-8000-000000000000', body: '{"type":"loan.approved"}' }

describe('the reference library', () => {
  test('takes what we sign for genuine, by either secret while both are honoured', () => {
    const headers = signedHeaders(message, [secret, other], now)
    expect(new Webhook(secret).verify(message.body, { ...headers })).toEqual({ type: 'loan.approved' })
    expect(new Webhook(other).verify(message.body, { ...headers })).toEqual({ type: 'loan.approved' })
  })

  test('signs what we take for genuine', () => {
    const headers = {
      'webhook-id': message.id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': new Webhook(secret).sign(message.id, now, message.body),
    }
    expect(verify(headers, message.body, { secret, now })).toBe('genuine')
  })
})

const signed = signedHeaders(message, [secret], now)
const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000)

test.each([
  ['as it was sent', signed, message.body, now, 'genuine'],
  ['another body', signed, '{"type":"loan.denied"}', now, 'wrong signature'],
  ['another id', { ...signed, 'webhook-id': 'x' }, message.body, now, 'wrong signature'],
  ['a fresher timestamp', { ...signed, 'webhook-timestamp': '9999999999' }, message.body, now, 'wrong signature'],
  ["somebody else's secret", signedHeaders(message, [other], now), message.body, now, 'wrong signature'],
  ['another version', { ...signed, 'webhook-signature': 'v1a,AAAA' }, message.body, now, 'wrong signature'],
  ['no signature', { ...signed, 'webhook-signature': undefined }, message.body, now, 'not signed'],
  ['no timestamp', { ...signed, 'webhook-timestamp': undefined }, message.body, now, 'not signed'],
  ['replayed after six minutes', signed, message.body, later(360), 'too old'],
  ['signed six minutes ahead', signed, message.body, later(-360), 'too old'],
  ['on its way for four minutes', signed, message.body, later(240), 'genuine'],
])('%s', (_what, headers, body, at, found) => {
  expect(verify(headers, body, { secret, now: at })).toBe(found)
})
