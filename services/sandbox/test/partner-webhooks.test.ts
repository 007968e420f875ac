// A partner's stand-in believes what is signed, fresh and new to it, and nothing else.
import { randomUUID } from 'node:crypto'
import { signedHeaders } from '@headwater/http-kit/outbound/webhook-signature'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { expect, onTestFinished, test } from 'vitest'
import { createSandbox } from '../src/sandbox.ts'

const secret = 'whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw=='
const other = 'whsec_YW5vdGhlciBzZWNyZXQgb2YgdGVzdHM='

const start = async () => {
  const sandbox = await createSandbox(createLogger({ service: 'sandbox', level: 'silent' }))
  onTestFinished(() => sandbox.close())
  const tell = (payload: object, path = 'secret') =>
    sandbox.inject({ method: 'PUT', url: `/partner/webhooks/${path}`, payload })
  const message = (id: string) =>
    JSON.stringify({
      type: 'loan.approved',
      id,
      loanId: randomUUID(),
      occurredAt: '2026-11-21T10:00:00.000Z',
      data: { status: 'approved', amount: 10 },
    })
  const send = async (payload: string, headers: Readonly<Record<string, string>>) =>
    (
      await sandbox.inject({
        method: 'POST',
        url: '/partner/webhooks',
        payload,
        headers: { 'content-type': 'application/json', ...headers },
      })
    ).statusCode
  const outcomes = async () => {
    const { received } = (await sandbox.inject({ url: '/partner/webhooks' })).json<{
      received: { outcome: string }[]
    }>()
    return received.map(({ outcome }) => outcome)
  }
  return { sandbox, tell, message, send, outcomes }
}

test('what is genuine is accepted once, whichever of its secrets signed it', async () => {
  const { tell, message, send, outcomes } = await start()
  await tell({ secret: other })
  await tell({ secret })
  const id = randomUUID()
  const body = message(id)
  expect(await send(body, signedHeaders({ id, body }, [secret], new Date()))).toBe(204)
  expect(await send(body, signedHeaders({ id, body }, [secret], new Date()))).toBe(204)
  expect(await outcomes()).toEqual(['seen before', 'accepted'])
})

test('what is replayed, forged or unsigned is refused', async () => {
  const { tell, message, send, outcomes } = await start()
  await tell({ secret })
  const id = randomUUID()
  const body = message(id)
  const old = new Date(Date.now() - 6 * 60_000)
  expect(await send(body, signedHeaders({ id, body }, [secret], old))).toBe(401)
  expect(await send(body, signedHeaders({ id, body }, [other], new Date()))).toBe(401)
  expect(await send(body.replace('10', '99'), signedHeaders({ id, body }, [secret], new Date()))).toBe(401)
  expect(await send(body, {})).toBe(401)
  expect(await outcomes()).toEqual(['not signed', 'wrong signature', 'wrong signature', 'too old'])
})

test('without a secret nothing is believed', async () => {
  const { message, send, outcomes } = await start()
  const id = randomUUID()
  const body = message(id)
  expect(await send(body, signedHeaders({ id, body }, [secret], new Date()))).toBe(401)
  expect(await outcomes()).toEqual(['wrong signature'])
})

test('it fails when told to, and has then not seen the message', async () => {
  const { tell, message, send, outcomes } = await start()
  await tell({ secret })
  await tell({ fail: 1 }, 'behaviour')
  const id = randomUUID()
  const body = message(id)
  const headers = signedHeaders({ id, body }, [secret], new Date())
  expect([await send(body, headers), await send(body, headers)]).toEqual([500, 204])
  expect(await outcomes()).toEqual(['accepted'])
})

test('people see a page, on which nothing that was sent is more than text', async () => {
  const { sandbox, send } = await start()
  await send('{}', { 'webhook-id': '<script>alert(1)</script>', 'webhook-timestamp': '1', 'webhook-signature': 'v1,a' })
  const { body, headers } = await sandbox.inject({ url: '/partner/webhooks', headers: { accept: 'text/html' } })
  expect(headers['content-type']).toContain('text/html')
  expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  expect(body).not.toContain('<script>')
})
