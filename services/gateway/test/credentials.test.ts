// As whom a request with several credentials acts: a token alone, or the first of its cookies that is allowed.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Actor } from '@headwater/deciders/policy'
import { expect, onTestFinished, test } from 'vitest'
import type { Credential, CredentialSource } from '../src/auth/credentials.ts'
import { connectLive, newLoan, startEdge, startGateway } from './support.ts'

const [held, alsoHeld] = [randomUUID(), randomUUID()]
const capability = (loanId: string): Credential => ({
  actor: { kind: 'capability', sub: `loan:${loanId}`, roles: [], scopes: [`loan:${loanId}`] },
  token: `capability-${loanId}`,
})
const session = (sub: string, ...roles: string[]): Credential => {
  const actor: Actor = { kind: 'person', sub, roles, scopes: [] }
  return { actor, token: `session-${sub}`, session: `session of ${sub}` }
}

/** A gateway whose requests carry the credentials that the test gives it, and a loan service that says what reached it. */
const start = async (...credentials: Credential[]) => {
  const reached: IncomingHttpHeaders[] = []
  const service = createServer((request, response) => {
    reached.push(request.headers)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => {
    service.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    service.closeAllConnections()
    service.close()
  })
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const source: CredentialSource = async () => credentials
  const gateway = await startGateway(edge.directory, {
    as: null,
    auth: { credentialSources: [source] },
    serviceUrls: { loan: `http://127.0.0.1:${(service.address() as AddressInfo).port}` },
  })
  onTestFinished(gateway.close)
  const sentWith = async (path: string, headers: Record<string, string> = {}) => {
    const { status } = await gateway.get(path, { method: 'POST', headers })
    return { status, authorization: reached.at(-1)?.authorization }
  }
  return { edge, gateway, reached, sentWith }
}

const withdraw = (loanId: string) => `/api/loans/${loanId}/withdraw`

test.each([
  ['the link to that loan', [session('alice'), capability(held)], `Bearer capability-${held}`],
  ['the right one of several links', [capability(alsoHeld), capability(held)], `Bearer capability-${held}`],
  ['the session, which may own it', [session('alice'), capability(alsoHeld)], 'Bearer session-alice'],
] as const)('withdraws with %s', async (_what, credentials, authorization) => {
  const { sentWith } = await start(...credentials)
  expect(await sentWith(withdraw(held))).toEqual({ status: 200, authorization })
})

test('withdraws nothing that none of its links is for', async () => {
  const { sentWith, reached } = await start(capability(alsoHeld))
  expect((await sentWith(withdraw(held))).status).toBe(404)
  expect(reached).toEqual([])
})

test.each([
  ['nobody, who has nothing', [], undefined],
  ['nobody, who has the link to an earlier loan', [capability(held)], undefined],
  ['the person who is signed in', [session('alice'), capability(held)], 'Bearer session-alice'],
] as const)('applies as %s', async (_who, credentials, authorization) => {
  const { sentWith } = await start(...credentials)
  expect(await sentWith('/api/loans')).toEqual({ status: 200, authorization })
})

test('takes a token alone, whatever cookies come with it, and refuses a bad one for all they say', async () => {
  const { gateway, sentWith, reached } = await start(session('uma', 'underwriter'))
  const approve = `/api/loans/${held}/approve`
  expect((await sentWith(approve)).status).toBe(200)
  const token = await gateway.issuer.tokenOf({ sub: 'alice' })
  expect((await sentWith(approve, { authorization: `Bearer ${token}` })).status).toBe(403)
  expect((await sentWith(approve, { authorization: 'Bearer nonsense' })).status).toBe(401)
  expect((await sentWith(approve, { authorization: 'Basic dW1hOnVtYQ==' })).status).toBe(401)
  expect(reached).toHaveLength(1)
})

test('says that signing in may help where only links came, and that it does not where a person is signed in', async () => {
  const approve = `/api/loans/${held}/approve`
  expect((await (await start(capability(held))).sentWith(approve)).status).toBe(401)
  expect((await (await start(session('alice'))).sentWith(approve)).status).toBe(403)
})

test('shows the loans of the session and those of its links together, and nothing else', async () => {
  const { edge, gateway } = await start(session('alice'), capability(held))
  const loans = [
    newLoan({ requestedById: 'alice' }),
    newLoan({ loanId: held, requestedByKind: 'anonymous', requestedById: 'anonymous' }),
  ]
  const other = newLoan({ requestedByKind: 'anonymous', requestedById: 'anonymous' })
  await edge.write(...loans, other)
  const ids = loans.map(({ loanId }) => loanId).sort()
  const list = (await (await gateway.get('/api/loans')).json()) as { loans: { loanId: string }[] }
  expect(list.loans.map(({ loanId }) => loanId).sort()).toEqual(ids)
  const client = await connectLive(gateway)
  onTestFinished(() => client.socket.terminate())
  client.subscribe('mine')
  await client.until(() => client.messages.length > 0)
  expect(client.rows('mine').map(({ loanId }) => loanId)).toEqual(expect.arrayContaining(ids))
  expect(client.rows('mine')).toHaveLength(2)
  expect((await gateway.get(`/api/loans/${held}`)).status).toBe(200)
  expect((await gateway.get(`/api/loans/${other.loanId}`)).status).toBe(404)
})

test('closes the sockets of a session that is over, and no others', async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const credentials: Credential[] = [session('alice')]
  const ends: { readonly session: string; readonly ended: () => void }[] = []
  const gateway = await startGateway(edge.directory, {
    as: null,
    auth: {
      credentialSources: [async () => [...credentials]],
      followSession: (session, ended) => {
        ends.push({ session, ended })
        return () => undefined
      },
    },
  })
  onTestFinished(gateway.close)
  const connect = async () => {
    const client = await connectLive(gateway)
    onTestFinished(() => client.socket.terminate())
    client.subscribe('mine')
    await client.until(() => client.messages.length > 0)
    return client
  }
  const [one, other] = [await connect(), await connect()]
  credentials[0] = session('bob')
  const stays = await connect()
  for (const { session, ended } of ends) if (session === 'session of alice') ended()
  expect(await one.closed).toEqual({ code: 4401, reason: 'signed out' })
  expect(await other.closed).toMatchObject({ code: 4401 })
  const bobs = newLoan({ requestedById: 'bob' })
  await edge.write(bobs)
  await stays.until(() => stays.rows('mine').length === 1)
})

test('is not asked for again: what is public needs no credentials at all', async () => {
  let asked = 0
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const source: CredentialSource = async () => {
    asked += 1
    throw new Error('sessions cannot be read')
  }
  const gateway = await startGateway(edge.directory, { as: null, auth: { credentialSources: [source] } })
  onTestFinished(gateway.close)
  for (const path of [
    '/health/live',
    '/health/ready',
    '/openapi.json',
    '/metrics',
    '/api/docs',
    '/unavailable.css',
    '/',
  ])
    await gateway.get(path)
  expect(asked).toBe(0)
  expect((await gateway.get('/api/loans')).status).toBe(500)
  expect(asked).toBe(1)
})
