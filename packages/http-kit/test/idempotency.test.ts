// What makes two requests the same command, and what does not.

import type { Actor } from '@headwater/deciders/policy'
import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { identify, type RequestIdentity } from '../src/commands/idempotency.ts'
import type { Problem } from '../src/commands/problem.ts'

type Sent = { key?: string; url?: string; payload?: object; sub?: string }

const first: Sent = { key: 'k1', url: '/loans/1/approve', payload: { a: 1, b: { c: [2], d: 3 } }, sub: 'uma' }

const identityOf = async ({ key, url = '/loans/1/approve', payload = {}, sub = 'uma' }: Sent) => {
  const server = Fastify()
  server.post('/loans/:id/:what', async (request) =>
    identify(request, { kind: 'person', sub, roles: [], scopes: [] } satisfies Actor),
  )
  server.setErrorHandler((error) => error)
  const answer = await server.inject({
    method: 'POST',
    url,
    payload,
    headers: key === undefined ? {} : { 'idempotency-key': key },
  })
  return answer.json<RequestIdentity & Problem>()
}

test('the same request again is the same command, whatever the order of its fields', async () => {
  const again = { ...first, payload: { b: { d: 3, c: [2] }, a: 1 } }
  const { notBefore: _, ...identity } = await identityOf(first)
  expect(await identityOf(again)).toMatchObject(identity)
})

test.each([
  ['another key', { key: 'k2' }, { commandId: 'other', createdId: 'other', requestHash: 'other' }],
  ['another actor', { sub: 'udo' }, { commandId: 'other', createdId: 'other', requestHash: 'same' }],
  ['another body', { payload: { a: 2 } }, { commandId: 'same', createdId: 'same', requestHash: 'other' }],
  ['another resource', { url: '/loans/2/approve' }, { commandId: 'other', createdId: 'same', requestHash: 'other' }],
])('%s makes a difference where it must', async (_what, change, expected) => {
  const [one, two] = [await identityOf(first), await identityOf({ ...first, ...change })]
  const compare = (field: keyof RequestIdentity) => (one[field] === two[field] ? 'same' : 'other')
  expect({
    commandId: compare('commandId'),
    createdId: compare('createdId'),
    requestHash: compare('requestHash'),
  }).toEqual(expected)
})

test('a request with a key may be a repeat of the last 24 hours, one without a key is new', async () => {
  const notBefore = new Date((await identityOf(first)).notBefore).getTime()
  expect(Math.abs(Date.now() - notBefore - 24 * 60 * 60 * 1_000)).toBeLessThan(60_000)
  expect(await identityOf({})).toMatchObject({ notBefore: 'now' })
})

test('without a key every request is a command of its own', async () => {
  const [one, two] = [await identityOf({}), await identityOf({})]
  expect(one.commandId).not.toBe(two.commandId)
  expect(one.createdId).not.toBe(two.createdId)
})

test.each(['', 'x'.repeat(256), 'ä'])('the key %j is refused', async (key) => {
  expect((await identityOf({ key })).code).toBe('validation')
})
