// Partners are told the outcomes of their loans: signed, until it arrives, and nobody else's.
import { describe, expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { startWorld, untilMatches } from './support.ts'

const at = '2026-11-21T10:00:00.000Z'
const partner = { kind: 'partner', id: 'demo-partner' } as const

type World = Awaited<ReturnType<typeof startWorld>>
type Jobs = Awaited<ReturnType<World['startJobs']>>

const register = async (world: World, jobs: Jobs, url: string, client: string = partner.id) => {
  const answer = await world.ask(`${jobs.url}/api/webhooks`, { method: 'POST', body: { partner: client, url } })
  expect(answer.status).toBe(201)
  return answer.body as unknown as { id: string; secret: string }
}
const deliveries = async (world: World, jobs: Jobs, id: string) =>
  (await world.ask(`${jobs.url}/api/webhooks/${id}/deliveries`)).body.deliveries as unknown as readonly object[]

/** As if so much time had passed for deliveries that wait to be tried again. */
const hurry = (world: World) => world.pass(60 * 24)

const outcomes = [
  ['approved', 9, undefined],
  ['denied', 1, undefined],
  ['approved', 5, 'ApproveLoan'],
  ['denied', 5, 'DenyLoan'],
  ['withdrawn', 5, 'WithdrawLoan'],
] as const

test('each outcome is sent once, signed, without personal data', async () => {
  const world = await startWorld()
  const jobs = await world.startJobs()
  const receiver = await startReceiver()
  const webhook = await register(world, jobs, receiver.url)
  for (const [place, [status, score, command]] of outcomes.entries()) {
    const loanId = await world.requestLoan(`55555${place}AA`, score, partner)
    if (command === 'WithdrawLoan') await world.send({ type: command, data: { loanId, at } })
    else if (command) await world.send({ type: command, data: { loanId, decidedBy: 'grace', at } })

    const delivered = Array(place + 1).fill({ state: 'delivered', attempts: 1, status: 204 })
    await untilMatches(() => deliveries(world, jobs, webhook.id), delivered)
    expect(receiver.bodies().slice(place)).toEqual([
      {
        id: receiver.ids()[place],
        type: `loan.${status}`,
        loanId,
        occurredAt: expect.stringMatching(/^\d{4}-.*Z$/),
        data: { status, amount: 1_000 },
      },
    ])
  }
  expect(new Set(receiver.ids()).size).toBe(outcomes.length)
  expect(receiver.found(webhook.secret)).toEqual(outcomes.map(() => 'genuine'))
  for (const { headers } of receiver.arrived) expect(headers['content-type']).toBe('application/json')
})

test("the loans of others are never told: of persons, of anonymous people, of another partner's", async () => {
  const world = await startWorld()
  const jobs = await world.startJobs()
  const [receiver, other] = [await startReceiver(), await startReceiver()]
  await register(world, jobs, receiver.url)
  await register(world, jobs, other.url, 'other-partner')
  await world.requestLoan('911111AA', 9)
  await world.requestLoan('922222AA', 9, { kind: 'person', id: partner.id })
  const theirs = await world.requestLoan('933333AA', 9, { kind: 'partner', id: 'other-partner' })
  const ours = await world.requestLoan('944444AA', 9, partner)
  await untilMatches(
    async () => (await world.ledger()).filter(({ kind }) => kind === 'tell partner'),
    Array(4).fill({ done: true }),
  )
  await untilMatches(async () => receiver.bodies(), [{ loanId: ours }])
  await untilMatches(async () => other.bodies(), [{ loanId: theirs }])
  expect(receiver.arrived).toHaveLength(1)
  expect(other.arrived).toHaveLength(1)
})

describe('a webhook that does not take it', () => {
  test('is tried again with the same id and bytes, until it does', async () => {
    const world = await startWorld()
    const jobs = await world.startJobs()
    const receiver = await startReceiver(500)
    const webhook = await register(world, jobs, receiver.url)
    await world.requestLoan('999999AA', 9, partner)
    await untilMatches(
      () => deliveries(world, jobs, webhook.id),
      [{ state: 'waiting', status: 500, error: 'answered 500' }],
    )
    receiver.answer(200)
    await hurry(world)
    await untilMatches(() => deliveries(world, jobs, webhook.id), [{ state: 'delivered', status: 200, error: null }])
    expect(new Set(receiver.ids()).size).toBe(1)
    expect(new Set(receiver.arrived.map(({ body }) => body)).size).toBe(1)
    expect(receiver.found(webhook.secret).every((found) => found === 'genuine')).toBe(true)
  })

  test('is given up in the end, seen by operators, and told by hand under the same id', async () => {
    const world = await startWorld()
    const jobs = await world.startJobs({ WEBHOOK_GIVE_UP_AFTER_HOURS: '0.0001' })
    const receiver = await startReceiver(503)
    const webhook = await register(world, jobs, receiver.url)
    await world.requestLoan('999999AA', 9, partner)
    const delivery = async () => {
      await hurry(world)
      return deliveries(world, jobs, webhook.id)
    }
    await untilMatches(delivery, [{ state: 'parked', error: 'answered 503' }])
    await untilMatches(world.queue, [])
    expect((await world.ask(`${jobs.url}/api/webhooks`)).body).toMatchObject({ webhooks: [{ parked: 1, waiting: 0 }] })
    // A gauge that cannot be read in time is left out.
    await expect
      .poll(async () => (await fetch(`${jobs.url}/metrics`)).text())
      .toContain('webhook_deliveries{state="parked"} 1')

    receiver.answer(204)
    const [id] = receiver.ids()
    const again = () => world.ask(`${jobs.url}/api/webhooks/deliveries/${id}/again`, { method: 'POST' })
    for (const _ of ['parked', 'delivered']) {
      const before = receiver.arrived.length
      expect((await again()).status).toBe(202)
      await untilMatches(async () => ({ arrived: receiver.arrived.length }), { arrived: before + 1 })
      await untilMatches(() => deliveries(world, jobs, webhook.id), [{ state: 'delivered' }])
      expect(receiver.arrived).toHaveLength(before + 1)
    }
    expect(new Set(receiver.ids())).toEqual(new Set([id]))
  })

  test("holds up nobody: not another's message, not the jobs of loans", async () => {
    const world = await startWorld()
    const jobs = await world.startJobs()
    const silent = await startReceiver(() => undefined)
    const other = await startReceiver()
    await register(world, jobs, silent.url)
    await register(world, jobs, other.url, 'other-partner')
    for (const digits of ['911111', '922222', '933333']) await world.requestLoan(`${digits}AA`, 9, partner)
    await untilMatches(async () => silent.arrived, [{}])
    await world.requestLoan('944444AA', 9, { kind: 'partner', id: 'other-partner' })
    await untilMatches(async () => other.bodies(), [{ type: 'loan.approved' }])
    await untilMatches(() => world.applicantEvents('944444AA'), ['ApplicationReserved', 'ApplicationReleased'])
    // One at a time to each webhook: the silent one has been asked once, and still is.
    expect(silent.arrived).toHaveLength(1)
  })

  test('one of two webhooks of a partner is away: the other is told once', async () => {
    const world = await startWorld()
    const jobs = await world.startJobs()
    const [away, there] = [await startReceiver(500), await startReceiver()]
    const webhook = await register(world, jobs, away.url)
    await register(world, jobs, there.url)
    await world.requestLoan('999999AA', 9, partner)
    await untilMatches(async () => there.bodies(), [{ type: 'loan.approved' }])
    away.answer(204)
    await hurry(world)
    await untilMatches(() => deliveries(world, jobs, webhook.id), [{ state: 'delivered' }])
    expect(there.arrived).toHaveLength(1)
    expect(away.ids()[0]).not.toBe(there.ids()[0])
  })
})

test('killed after it was sent and before that was noted: sent again under the same id', async () => {
  const world = await startWorld()
  const victim = await world.startJobs()
  let killed: Promise<void> | undefined
  const receiver = await startReceiver((response) => {
    killed ??= victim.kill()
    response.writeHead(204).end()
  })
  const webhook = await register(world, victim, receiver.url)
  await world.requestLoan('999999AA', 9, partner)
  await untilMatches(async () => receiver.arrived, [{}])
  await killed
  const successor = await world.startJobs()
  await untilMatches(() => deliveries(world, successor, webhook.id), [{ state: 'delivered' }])
  const ids = receiver.ids()
  expect(ids.length).toBeGreaterThanOrEqual(2)
  expect(new Set(ids).size).toBe(1)
})

test('without the switch for development nothing of this machine is called', async () => {
  const world = await startWorld()
  const receiver = await startReceiver()
  const lax = await world.startJobs()
  const webhook = await register(world, lax, receiver.url.replace('127.0.0.1', 'localhost'))
  await lax.stop()
  const jobs = await world.startJobs({ WEBHOOK_ALLOW_PRIVATE: '' })
  await world.requestLoan('999999AA', 9, partner)
  await untilMatches(
    () => deliveries(world, jobs, webhook.id),
    [{ state: 'waiting', status: null, error: 'not an https address on port 443' }],
  )
  const refused = await world.ask(`${jobs.url}/api/webhooks`, {
    method: 'POST',
    body: { partner: partner.id, url: receiver.url },
  })
  expect(refused).toMatchObject({ status: 422, body: { code: 'validation', errors: [{ field: 'url' }] } })
  expect(receiver.arrived).toEqual([])
})
