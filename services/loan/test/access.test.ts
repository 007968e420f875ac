// Who may send which command: every route for every kind of actor, on their own loan and on a stranger's.
import { randomUUID } from 'node:crypto'
import { loanApi } from '@headwater/deciders/loan/api'
import { type Actor, anonymous, may } from '@headwater/deciders/policy'
import { expect, test } from 'vitest'
import { ada, startLoan } from './support.ts'

type World = Awaited<ReturnType<typeof startLoan>>

/** Every kind of actor, with the token that makes it. */
const actors: Record<string, { actor: Actor; token: (world: World) => Promise<string> | null }> = {
  nobody: { actor: anonymous, token: () => null },
}
for (const roles of [[], ['underwriter'], ['operator'], ['auditor'], ['underwriter', 'operator', 'auditor']]) {
  const sub = roles.join('-') || 'person'
  actors[sub] = {
    actor: { kind: 'person', sub, roles, scopes: [] },
    token: ({ issuer }) => issuer.tokenOf({ sub, roles }),
  }
}
for (const scopes of [[], ['loans:read'], ['loans:write'], ['consents:check']]) {
  const sub = `partner-${scopes}`
  actors[sub] = {
    actor: { kind: 'partner', sub, roles: [], scopes },
    token: ({ issuer }) => issuer.partnerTokenOf(sub, scopes),
  }
}

const routes = {
  requestLoan: '',
  approveLoan: '/approve',
  denyLoan: '/deny',
  withdrawLoan: '/withdraw',
} as const

const expectedStatus = (type: keyof typeof routes, actor: Actor, owns: boolean): number => {
  const permission = may(actor, loanApi.commands[type].rules)
  if (permission === 'no') return actor.kind === 'anonymous' ? 401 : 403
  if (permission === 'if owner' && !owns) return 404
  const isOwnDecision = owns && actor.kind === 'person' && (type === 'approveLoan' || type === 'denyLoan')
  if (isOwnDecision) return 403
  return type === 'requestLoan' ? 201 : 200
}

let serial = 0
const nextNationalId = () => `5${String(serial++).padStart(5, '0')}AA`

test.each(Object.keys(actors))('%s', { timeout: 60_000 }, async (name) => {
  const world = await startLoan()
  const loan = await world.service()
  const { actor, token } = actors[name] as (typeof actors)[string]
  const as = await token(world)
  /** Requested by the actor where they may, else by somebody who has nothing to do with them. */
  const newLoan = async (by: string | null) => {
    const answer = await loan.post('/api/loans', {
      as: by,
      payload: { ...ada, nationalId: nextNationalId() },
      key: randomUUID(),
    })
    return answer.status === 201 ? String(answer.body.id) : undefined
  }
  const stranger = await world.issuer.tokenOf({ sub: 'stranger' })
  for (const [type, path] of Object.entries(routes) as [keyof typeof routes, string][])
    for (const owns of [true, false]) {
      const payload = type === 'requestLoan' ? { ...ada, nationalId: nextNationalId() } : {}
      const own = owns ? await newLoan(as) : undefined
      if (owns && (own === undefined || actor.kind === 'anonymous')) continue
      const id = own ?? (await newLoan(stranger))
      const url = type === 'requestLoan' ? '/api/loans' : `/api/loans/${id}${path}`
      const before = id === undefined ? [] : await loan.typesOf(id)
      const answer = await loan.post(url, { as, payload, key: randomUUID() })
      const expected = expectedStatus(type, actor, owns)
      expect([type, owns, answer.status]).toEqual([type, owns, expected])
      if (expected >= 400 && id) expect(await loan.typesOf(id)).toEqual(before)
      if (expected !== 404) continue
      const nowhere = await loan.post(`/api/loans/${randomUUID()}${path}`, { as, payload, key: randomUUID() })
      expect([answer.status, answer.body]).toEqual([nowhere.status, nowhere.body])
    }
})

test('whose loan it is not is told nothing by an expected revision or by what became of the loan', async () => {
  const world = await startLoan()
  const loan = await world.service()
  const { id } = (await loan.request()).body
  await loan.post(`/api/loans/${id}/deny`)
  const as = await world.issuer.tokenOf({ sub: 'stranger' })
  const answers = []
  for (const loanId of [id, randomUUID()])
    for (const ifMatch of ['"0"', '"3"']) {
      const { status, body } = await loan.post(`/api/loans/${loanId}/withdraw`, { as, ifMatch })
      answers.push({ status, body })
    }
  expect(answers).toEqual(
    answers.map(() => ({ status: 404, body: expect.objectContaining({ code: 'loan_not_found' }) })),
  )
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
})

test('a capability withdraws its loan, and is nothing for any other', async () => {
  const world = await startLoan()
  const loan = await world.service()
  const [mine, other] = [(await loan.request()).body.id, (await loan.request({ nationalId: '666666AA' })).body.id]
  const as = await world.issuer.capabilityOf(mine)
  expect((await loan.post(`/api/loans/${other}/withdraw`, { as })).status).toBe(404)
  expect((await loan.post(`/api/loans/${mine}/approve`, { as })).status).toBe(403)
  expect((await loan.post('/api/loans', { as, payload: ada })).status).toBe(403)
  expect((await loan.post(`/api/loans/${mine}/withdraw`, { as })).status).toBe(200)
})

test('nobody decides on their own loan', async () => {
  const world = await startLoan()
  const loan = await world.service()
  const as = await world.issuer.tokenOf({ sub: 'una', roles: ['underwriter'] })
  const { id } = (await loan.post('/api/loans', { as, payload: ada })).body
  const refused = await loan.post(`/api/loans/${id}/approve`, { as })
  expect([refused.status, refused.body.code]).toEqual([403, 'own_loan'])
  expect((await loan.post(`/api/loans/${id}/approve`)).status).toBe(200)
})

test('who applied is on the record, and a repeat is theirs alone', async () => {
  const world = await startLoan()
  const loan = await world.service()
  const key = randomUUID()
  const alice = await world.issuer.tokenOf({ sub: 'alice' })
  const acme = await world.issuer.partnerTokenOf('acme', ['loans:write'])
  const ids = new Set<string>()
  for (const [as, requestedBy, actor] of [
    [alice, { kind: 'person', id: 'alice' }, 'alice'],
    [acme, { kind: 'partner', id: 'acme' }, 'acme'],
    [null, { kind: 'anonymous', id: 'anonymous' }, 'anonymous'],
  ] as const) {
    const payload = { ...ada, nationalId: nextNationalId() }
    const { body } = await loan.post('/api/loans', { as, payload, key })
    const [requested] = await loan.eventsOf(body.id)
    expect(requested).toMatchObject({ data: { requestedBy }, metadata: { actor } })
    ids.add(body.id)
  }
  expect(ids.size).toBe(3)
})

test('refused before anything is read: also while the store is away', async () => {
  const world = await startLoan({ storeUrl: 'esdb://127.0.0.1:1?tls=false' })
  const loan = await world.service()
  const url = (command: string) => `/api/loans/${randomUUID()}/${command}`
  const alice = await world.issuer.tokenOf()
  const bad = await world.issuer.tokenOf({ claims: { aud: 'elsewhere' } })
  for (const command of ['approve', 'deny']) {
    expect((await loan.post(url(command), { as: null })).status).toBe(401)
    expect((await loan.post(url(command), { as: alice })).status).toBe(403)
    expect((await loan.post(url(command), { as: bad })).status).toBe(401)
  }
  expect((await loan.post(url('withdraw'), { as: null })).status).toBe(401)
})

test('partners name each write, and who is nobody names it by a uuid', async () => {
  const world = await startLoan()
  const loan = await world.service()
  const acme = await world.issuer.partnerTokenOf('acme', ['loans:write'])
  const nameless = await loan.post('/api/loans', { as: acme, payload: ada })
  expect([nameless.status, nameless.body.code]).toEqual([422, 'idempotency_key_required'])
  const guessable = await loan.post('/api/loans', { as: null, payload: ada, key: 'order-1' })
  expect([guessable.status, guessable.body.errors]).toEqual([
    422,
    [{ field: 'Idempotency-Key', message: 'a uuid, new for each request' }],
  ])
  expect((await loan.post('/api/loans', { as: acme, payload: ada, key: 'order-1' })).status).toBe(201)
})
