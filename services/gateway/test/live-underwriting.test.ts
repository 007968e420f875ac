// The queue of underwriters live, from Postgres: the same promises as the edge's live queries, and an outage of the one leaves the other alone.
import { expect, onTestFinished, test } from 'vitest'
import { approved, type Loan, newLoan, requested, startDashboard } from './dashboard.ts'
import { alice, connectLive, newLoan as newEdgeLoan, startEdge, startGateway, underwriter } from './support.ts'

const start = async (options: Parameters<typeof startGateway>[1] = {}) => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const dashboard = await startDashboard()
  onTestFinished(dashboard.remove)
  const gateway = await startGateway(edge.directory, { as: underwriter, databaseUrl: dashboard.url, ...options })
  onTestFinished(gateway.close)
  const connect = async () => {
    const client = await connectLive(gateway)
    onTestFinished(() => client.socket.terminate())
    return client
  }
  return { edge, dashboard, gateway, connect }
}
type Client = Awaited<ReturnType<typeof connectLive>>

const shows = (client: Client, id: string, loans: readonly Loan[]) => () => {
  const ids = client.rows(id).map(({ loanId }) => loanId)
  return JSON.stringify(ids.sort()) === JSON.stringify(loans.map(({ loanId }) => loanId).sort())
}

test('shows who waits, as they come and go, and nothing that is only for searching', async () => {
  const { dashboard, connect } = await start()
  const [first, second] = [newLoan(), newLoan({ name: 'Zoë' })]
  await dashboard.project(...requested(first))
  const client = await connect()
  client.subscribe('queue', {}, undefined, 'underwriting')
  client.subscribe('found', { search: 'zoe' }, undefined, 'underwriting')
  await client.until(shows(client, 'queue', [first]))
  await dashboard.project(...requested(second))
  await client.until(shows(client, 'queue', [first, second]))
  await client.until(shows(client, 'found', [second]))
  await dashboard.project(approved(first))
  await client.until(shows(client, 'queue', [second]))
  expect(client.rows('queue')).toMatchObject([{ name: 'Zoë', score: 5, status: 'awaiting review' }])
  expect(JSON.stringify(client.messages)).not.toMatch(/foldedName|nationalId|555555AA/)
})

test('is for underwriters only, and takes no filters that it does not know', async () => {
  const stranger = await start({ as: alice })
  const refused = await stranger.connect()
  refused.subscribe('queue', {}, undefined, 'underwriting')
  await refused.until(() => refused.messages.length > 0)
  expect(refused.messages).toMatchObject([{ type: 'error', id: 'queue', code: 'forbidden' }])
  const client = await (await start()).connect()
  client.subscribe('queue', { name: 'Zoë' }, undefined, 'underwriting')
  await client.until(() => client.messages.length > 0)
  expect(client.messages).toMatchObject([{ type: 'error', id: 'queue', code: 'invalid_filter' }])
})

test('goes on where an earlier connection ended, with what changed in between only', async () => {
  const { dashboard, connect } = await start()
  const [first, second] = [newLoan(), newLoan()]
  await dashboard.project(...requested(first))
  const earlier = await connect()
  earlier.subscribe('queue', {}, undefined, 'underwriting')
  await earlier.until(shows(earlier, 'queue', [first]))
  await earlier.close()
  await dashboard.project(...requested(second), approved(first))
  const client = await connect()
  const known = { rows: earlier.rows('queue'), token: earlier.token('queue') }
  client.subscribe('queue', {}, known, 'underwriting')
  await client.until(shows(client, 'queue', [second]))
  expect(client.messages.map(({ type }) => type)).toEqual(['change'])
})

test('ends with what the query answers, for a client that came, left and came back while it changed', async () => {
  const { dashboard, connect } = await start()
  const loans = Array.from({ length: 60 }, () => newLoan())
  const clients = await Promise.all(Array.from({ length: 5 }, connect))
  for (const [n, loan] of loans.entries()) {
    const decided = loans[n - 7]
    await dashboard.project(...requested(loan), ...(decided && n % 3 > 0 ? [approved(decided)] : []))
    const client = clients[n % clients.length] as Client
    client.send({ type: 'unsubscribe', id: 'queue' })
    const known = n % 2 > 0 ? { rows: client.rows('queue'), token: client.token('queue') } : undefined
    client.subscribe('queue', {}, known, 'underwriting')
  }
  const waiting = loans.filter((_, n) => !(n + 7 < loans.length && (n + 7) % 3 > 0))
  for (const client of clients) await client.until(shows(client, 'queue', waiting))
})

test('says that it is unavailable while Postgres is away, follows again when it is back, and the edge goes on', async () => {
  const { edge, dashboard, connect } = await start()
  const client = await connect()
  client.subscribe('early', {}, undefined, 'underwriting')
  await client.until(() => client.messages.length === 1)
  const restore = await dashboard.interrupt()
  client.subscribe('late', { score: 6 }, undefined, 'underwriting')
  await client.until(() => client.messages.some((message) => message.type === 'error'))
  expect(client.messages.at(-1)).toMatchObject({ type: 'error', id: 'late', code: 'unavailable' })
  client.subscribe('edge')
  const atEdge = newEdgeLoan()
  await edge.write(atEdge)
  await client.until(() => client.rows('edge').length === 1)
  await restore()
  const loan = newLoan()
  await dashboard.project(...requested(loan))
  await client.until(shows(client, 'early', [loan]))
})
