// What people are called and what they are, as it was when they last signed in; nothing of it while Postgres is away.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPool } from '@headwater/postgres/pool'
import { expect, onTestFinished, test } from 'vitest'
import { approved, newLoan, requested, startDashboard } from './dashboard.ts'
import { startEdge, startGateway, underwriter } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

/** A loan service to which everybody comes too late: una was first. */
const startTooLate = async (): Promise<string> => {
  const body = JSON.stringify({ status: 409, code: 'loan_not_awaiting_review', decidedBy: 'una' })
  const service = createServer((_request, response) =>
    response.writeHead(409, { 'content-type': 'application/problem+json' }).end(body),
  )
  await new Promise<void>((resolve) => {
    service.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    service.closeAllConnections()
    service.close()
  })
  return `http://127.0.0.1:${(service.address() as AddressInfo).port}`
}

const start = async (databaseUrl?: string) => {
  const node = await startEventStore({ port: 0, memory: true })
  const store = connectEventStore({ url: node.connectionString, logger })
  const edge = await startEdge()
  const gateway = await startGateway(edge.directory, {
    as: underwriter,
    eventStoreUrl: node.connectionString,
    serviceUrls: { loan: await startTooLate() },
    ...(databaseUrl !== undefined && { databaseUrl }),
  })
  onTestFinished(async () => {
    await gateway.close()
    await store.close()
    await Promise.all([node.stop(), edge.remove()])
  })
  const loan = newLoan()
  const append = requested(loan).concat(approved(loan))
  await store.append(
    `loan-${loan.loanId}`,
    append.map((event, n) => ({ ...event, id: randomUUID(), metadata: { actor: n === 3 ? 'una' : 'anonymous' } })),
    'no_stream',
  )
  const json = async (path: string, method = 'GET') => (await gateway.get(path, { method })).json()
  const history = () => json(`/api/loans/${loan.loanId}/history`) as Promise<{ events: object[] }>
  const tooLate = () => json(`/api/loans/${loan.loanId}/approve`, 'POST')
  return { gateway, json, history, tooLate }
}

test('stands beside their ids, where it is known', async () => {
  const dashboard = await startDashboard()
  onTestFinished(dashboard.remove)
  const { gateway, json, history, tooLate } = await start(dashboard.url)
  const loan = newLoan()
  await dashboard.project(...requested(loan), approved(loan))
  const decided = async () => ((await json('/api/underwriting/history')) as { loans: object[] }).loans[0]
  expect(await decided()).not.toHaveProperty('decidedByName')
  expect(await tooLate()).not.toHaveProperty('decidedByName')

  await gateway.people.keep({ sub: 'una', name: 'Una Before', roles: [] })
  await gateway.people.keep({ sub: 'una', name: 'Una Underhill', roles: [] })
  await gateway.people.keep({ sub: 'anonymous-to-us', roles: [] })
  expect(await decided()).toMatchObject({ decidedBy: 'una', decidedByName: 'Una Underhill' })
  expect(await tooLate()).toMatchObject({ status: 409, decidedBy: 'una', decidedByName: 'Una Underhill' })
  const { events } = await history()
  expect(events.at(-1)).toMatchObject({ actor: 'una', actorName: 'Una Underhill', data: { decidedBy: 'una' } })
  expect(events[0]).not.toHaveProperty('actorName')
  const file = await (await gateway.get('/api/underwriting/history.csv')).text()
  expect(file.trimEnd()).toMatch(/,decidedByName\r\n.*,una,.*,Una Underhill$/)
})

test('are known, in the roles of their last sign-in, once they have signed in', async () => {
  const dashboard = await startDashboard()
  onTestFinished(dashboard.remove)
  const { gateway } = await start(dashboard.url)
  const { keep, find, namesOf } = gateway.people
  const id = randomUUID()
  expect(await find(id)).toBeUndefined()
  await keep({ sub: id, name: 'Nils Nurse', roles: ['nurse', 'patient'] })
  await keep({ sub: id.toUpperCase(), roles: ['nurse'] })
  expect(await find(` ${id.toUpperCase()}`)).toEqual({ roles: ['nurse'] })
  expect(await namesOf([id])).toEqual(new Map([[id, 'Nils Nurse']]))
  // As rows from before roles were kept.
  const pool = openPool(dashboard.url, 1, logger)
  await pool.query(`insert into headwater.people (sub, name) values ('before', 'Bea Before')`)
  await pool.end()
  expect(await find('before')).toEqual({ roles: [] })
})

test('is left out while Postgres is away', async () => {
  const { gateway, history, tooLate } = await start()
  expect((await history()).events.at(-1)).toMatchObject({ actor: 'una', data: { decidedBy: 'una' } })
  expect(await tooLate()).toEqual({ status: 409, code: 'loan_not_awaiting_review', decidedBy: 'una' })
  await expect(gateway.people.find('una')).rejects.toMatchObject({ status: 503 })
})
