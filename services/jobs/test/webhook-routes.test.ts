// Operators, and only they, say which webhooks there are; a secret is shown once and can be exchanged.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { startWorld, untilMatches } from './support.ts'

let world: Awaited<ReturnType<typeof startWorld>>
let jobs: Awaited<ReturnType<typeof world.startJobs>>
const endings: (() => Promise<void>)[] = []
beforeAll(async () => {
  world = await startWorld((end) => void endings.unshift(end))
  jobs = await world.startJobs()
})
afterAll(async () => {
  for (const end of endings) await end()
})

let serial = 0
/** A partner of the test's own. */
const start = async () => {
  const partner = { kind: 'partner', id: `partner-${++serial}` } as const
  const receiver = await startReceiver()
  const send = (path: string, body?: object, headers = {}) =>
    world.ask(`${jobs.url}/api/webhooks${path}`, { method: 'POST', body, headers })
  const list = async () => {
    const { body } = await world.ask(`${jobs.url}/api/webhooks`)
    return (body.webhooks as unknown as readonly { partner: string }[]).filter((one) => one.partner === partner.id)
  }
  const register = async () => {
    const { body } = await send('', { partner: partner.id, url: receiver.url })
    return body as unknown as { id: string; secret: string; secretVersion: number }
  }
  /** Approved at once. */
  const requestLoan = () => world.requestLoan(`9${String(++serial).padStart(5, '0')}AA`, 9, partner)
  return { partner, receiver, send, list, register, requestLoan }
}

test('everything is for operators', async () => {
  const id = randomUUID()
  for (const [method, path] of [
    ['GET', ''],
    ['POST', ''],
    ['GET', `/${id}/deliveries`],
    ['POST', `/${id}/disable`],
    ['POST', `/${id}/enable`],
    ['POST', `/${id}/rotate-secret`],
    ['POST', `/deliveries/${id}/again`],
  ] as const)
    for (const [role, status] of [
      ['', 401],
      ['underwriter', 403],
      ['auditor', 403],
    ] as const) {
      const answer = await world.ask(`${jobs.url}/api/webhooks${path}`, { method, role })
      expect([method, path, role, answer.status]).toEqual([method, path, role, status])
    }
})

test('registered once however often it is sent; the secret shows then and nowhere else', async () => {
  const { partner, receiver, send, list } = await start()
  const key = { 'idempotency-key': 'a key' }
  const body = { partner: partner.id, url: receiver.url }
  const first = await send('', body, key)
  expect(first).toMatchObject({ status: 201, body: { secret: expect.stringMatching(/^whsec_[\w+/]{43}=$/) } })
  expect(first.headers.get('cache-control')).toBe('no-store')
  expect((await send('', body, key)).body).toEqual(first.body)
  expect(await send('', { ...body, partner: 'another' }, key)).toMatchObject({
    status: 422,
    body: { code: 'idempotency_key_reused' },
  })
  const listed = await list()
  expect(listed).toMatchObject([{ url: receiver.url, registeredBy: 'operator-1' }])
  expect(JSON.stringify(listed)).not.toContain('whsec_')
})

test('what is not right is refused by field', async () => {
  const { send } = await start()
  for (const [body, field] of [
    [{ partner: 'p' }, 'url'],
    [{ url: 'https://example.com/' }, 'partner'],
    [{ partner: '', url: 'https://example.com/' }, 'partner'],
    [{ partner: 'p', url: 'ftp://example.com/' }, 'url'],
    [{ partner: 'p', url: 'https://a:b@example.com/' }, 'url'],
    [{ partner: 'p', url: 'https://example.com/', secret: 'mine' }, 'secret'],
  ] as const)
    expect([body, await send('', body)]).toMatchObject([body, { status: 422, body: { errors: [{ field }] } }])
})

test('a partner has so many webhooks and no more', async () => {
  const { partner, send, receiver } = await start()
  const statuses = []
  for (let count = 0; count < 11; count++)
    statuses.push((await send('', { partner: partner.id, url: receiver.url })).status)
  expect(statuses).toEqual([...Array(10).fill(201), 409])
})

test('disabled, it is told nothing, and what waited is given up; enabled, it is told again', async () => {
  const { receiver, send, register, list, requestLoan } = await start()
  const { id } = await register()
  receiver.answer(500)
  const loanIds: string[] = [await requestLoan()]
  await untilMatches(async () => receiver.arrived, [{}])
  expect(await send(`/${id}/disable`)).toMatchObject({ status: 200, body: { disabledAt: expect.any(String) } })
  loanIds.push(await requestLoan())
  const log = async () => {
    await world.pass(60)
    return (await world.ask(`${jobs.url}/api/webhooks/${id}/deliveries`)).body.deliveries
  }
  await untilMatches(log, [{ state: 'parked', error: 'the webhook is disabled' }])
  await untilMatches(
    async () =>
      (await world.ledger()).filter(({ kind, loan }) => kind === 'tell partner' && loanIds.includes(loan ?? '')),
    [{ done: true }, { done: true }],
  )
  expect(await log()).toHaveLength(1)
  const [delivery] = receiver.ids()
  expect(await send(`/deliveries/${delivery}/again`)).toMatchObject({ status: 409, body: { code: 'webhook_disabled' } })

  receiver.answer(204)
  expect(await send(`/${id}/enable`)).toMatchObject({ status: 200, body: { disabledAt: null } })
  expect((await send(`/deliveries/${delivery}/again`)).status).toBe(202)
  await untilMatches(log, [{ state: 'delivered' }])
  expect(await list()).toMatchObject([{ waiting: 0, parked: 0 }])
})

test('a secret is exchanged: both sign for a while, and a repeat exchanges nothing', async () => {
  const { receiver, send, register, requestLoan } = await start()
  const { id, secret, secretVersion } = await register()
  const rotated = await send(`/${id}/rotate-secret`, { secretVersion })
  expect(rotated).toMatchObject({ status: 200, body: { secretVersion: 2 } })
  expect(await send(`/${id}/rotate-secret`, { secretVersion })).toMatchObject({
    status: 409,
    body: { code: 'secret_not_current' },
  })
  const next = String(rotated.body.secret)
  expect(next).not.toBe(secret)
  await requestLoan()
  await untilMatches(async () => receiver.found(secret), ['genuine'])
  expect(receiver.found(next)).toEqual(['genuine'])

  await world.database.client.query(`update headwater.webhooks set secret_rotated_at = now() - interval '25 hours'`)
  await requestLoan()
  await untilMatches(async () => receiver.found(next), ['genuine', 'genuine'])
  expect(receiver.found(secret)).toEqual(['genuine', 'wrong signature'])
})

test('what is not there cannot be changed', async () => {
  const { send } = await start()
  const id = randomUUID()
  for (const path of [`/${id}/disable`, `/${id}/enable`, `/deliveries/${id}/again`])
    expect((await send(path)).status).toBe(404)
  expect((await send(`/${id}/rotate-secret`, { secretVersion: 1 })).status).toBe(404)
  expect((await world.ask(`${jobs.url}/api/webhooks/${id}/deliveries`)).status).toBe(404)
})
