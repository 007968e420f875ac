// Requesting a loan over HTTP: accepted, refused, repeated, conflicting; and what the store holds afterwards.
import { randomUUID } from 'node:crypto'
import type { EventStore } from '@headwater/eventstore/client/client'
import { expect, test } from 'vitest'
import { ada, startLoan } from './support.ts'

test.each([
  ['012345AA', 'AutoApproved'],
  ['777777AA', 'AutoApproved'],
  ['666666AA', 'ManualReviewRequired'],
  ['555555AA', 'ManualReviewRequired'],
  ['444444AA', 'AutoDenied'],
  ['111111AA', 'AutoDenied'],
])('accepted: %s leads to %s in one append, answered as created (D5)', async (nationalId, outcome) => {
  const loan = await (await startLoan()).service()
  const { status, headers, body } = await loan.request({ nationalId: nationalId.toLowerCase() })
  expect(status).toBe(201)
  expect(body).toEqual({ id: expect.any(String), revision: '2', position: expect.stringMatching(/^\d+\/\d+$/) })
  expect(headers).toMatchObject({
    location: `/api/loans/${body.id}`,
    etag: '"2"',
    'headwater-position': body.position,
  })
  const events = await loan.eventsOf(body.id)
  expect(events.map(({ type }) => type)).toEqual(['LoanRequested', 'CreditChecked', outcome])
  expect(events[0]?.data).toMatchObject({ ...ada, nationalId, requestedBy: { kind: 'anonymous', id: 'anonymous' } })
})

test.each([
  ['name', { name: ' 1 ' }, 'at least one letter'],
  ['name', { name: undefined }, 'is missing'],
  ['address', { address: ' ' }, 'is missing'],
  ['nationalId', { nationalId: '12345AA' }, 'six digits, then two letters'],
  ['amount', { amount: 0 }, 'at least 1 euro'],
  ['amount', { amount: 10_000_001 }, 'at most 10000000 euros'],
  ['amount', { amount: 10.5 }, 'a whole number of euros'],
  ['amount', { amount: '10000' }, 'a whole number of euros'],
  ['score', { score: 9 }, 'is not a field of this request'],
  ['creditScore', { creditScore: { score: 9 } }, 'is not a field of this request'],
  ['loanId', { loanId: randomUUID() }, 'is not a field of this request'],
  ['requestedBy', { requestedBy: { kind: 'person', id: 'uma' } }, 'is not a field of this request'],
])('refused: %s as in %j', async (field, change, message) => {
  const loan = await (await startLoan()).service()
  const { status, body } = await loan.request(change)
  expect(status).toBe(422)
  expect(body).toMatchObject({ code: 'validation', errors: [{ field, message }] })
})

test('refused: a header that is no idempotency key', async () => {
  const loan = await (await startLoan()).service()
  const { status, body } = await loan.request({}, 'x'.repeat(256))
  expect(status).toBe(422)
  expect(body.errors).toMatchObject([{ field: 'Idempotency-Key' }])
})

test('repeated: the same answer and one loan, also from another replica and while the bureau is down', async () => {
  const { service, bureau } = await startLoan()
  const [one, other] = [await service(), await service()]
  const key = randomUUID()
  const first = await one.request({}, key)
  await bureau.behave('failing')
  for (const replica of [one, other]) {
    const again = await replica.request({}, key)
    expect([again.status, again.body]).toEqual([201, first.body])
    expect(again.headers.location).toBe(first.headers.location)
  }
  expect(await one.typesOf(first.body.id)).toHaveLength(3)
})

test('repeated after a decision, and after the next application: still the first answer', async () => {
  const { service } = await startLoan()
  const [one, other] = [await service(), await service()]
  const key = randomUUID()
  const first = await one.request({}, key)
  await one.post(`/api/loans/${first.body.id}/approve`)
  expect((await other.request({}, key)).body).toEqual(first.body)
  expect((await one.request()).status).toBe(201)
  for (const replica of [one, other, await service()]) expect((await replica.request({}, key)).body).toEqual(first.body)
  expect((await one.reservationsOf(ada.nationalId)).map(({ type }) => type)).toEqual([
    'ApplicationReserved',
    'ApplicationReleased',
    'ApplicationReserved',
  ])
})

test('a new application reads nothing: the reservation shows that its key is new', async () => {
  const { service } = await startLoan()
  let reads = 0
  const counting = (store: EventStore): EventStore => ({
    ...store,
    readStream: (...args) => {
      reads++
      return store.readStream(...args)
    },
  })
  expect((await (await service({ through: counting })).request()).status).toBe(201)
  expect(reads).toBe(0)
})

test('D15: repeated 20 times in parallel over 3 replicas: one loan and one answer', async () => {
  const { service } = await startLoan()
  const replicas = [await service(), await service(), await service()]
  const key = randomUUID()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => replicas[index % replicas.length]?.request({}, key)),
  )
  const [first] = answers
  for (const answer of answers) expect([answer?.status, answer?.body]).toEqual([201, first?.body])
  expect(await replicas[0]?.typesOf(first?.body.id)).toHaveLength(3)
})

test('conflicting: another request under a used key is refused, without asking the bureau', async () => {
  const { service, bureau } = await startLoan()
  const loan = await service()
  const key = randomUUID()
  await loan.request({}, key)
  await bureau.behave('failing')
  const { status, body } = await loan.request({ amount: 20_000 }, key)
  expect([status, body.code]).toEqual([422, 'idempotency_key_reused'])
})

const grace = { nationalId: '666666AA' }

test('conflicting: a used key for another person is refused, reserves nothing, and leaves the first answer', async () => {
  const { service } = await startLoan()
  const [one, other] = [await service(), await service()]
  const key = randomUUID()
  const first = await one.request({}, key)
  for (const replica of [one, other, one]) {
    const { status, body } = await replica.request(grace, key)
    expect([status, body.code]).toEqual([422, 'idempotency_key_reused'])
  }
  expect((await one.reservationsOf(grace.nationalId)).map(({ type }) => type)).toEqual([
    'ApplicationReserved',
    'ApplicationReleased',
  ])
  const own = await other.request(grace)
  expect(own.status).toBe(201)
  // Refused for its key also where the person has an open application, which stays reserved.
  const reused = await one.request(grace, key)
  expect([reused.status, reused.body.code]).toEqual([422, 'idempotency_key_reused'])
  expect((await one.request(grace)).body.code).toBe('application_already_open')
  expect((await other.request({}, key)).body).toEqual(first.body)
  expect(await one.typesOf(first.body.id)).toHaveLength(3)
})

test('conflicting: one key for two people at once over 2 replicas is one loan, and the other person is free', async () => {
  const { service } = await startLoan()
  const replicas = [await service(), await service()] as const
  for (let round = 0; round < 10; round++) {
    const key = randomUUID()
    const people = [`5${round}5555AA`, `6${round}6666AA`]
    const answers = await Promise.all(people.map((nationalId, index) => replicas[index]?.request({ nationalId }, key)))
    expect(answers.map((answer) => answer?.status).sort()).toEqual([201, 422])
    const refused = answers.findIndex((answer) => answer?.status === 422)
    const nationalId = people[refused]
    const again = await replicas[0].request({ nationalId }, key)
    expect(again.body.code).toBe('idempotency_key_reused')
    expect((await replicas[1].request({ nationalId })).status).toBe(201)
    const held = await replicas[0].request({ nationalId: people[1 - refused] })
    expect(held.body.code).toBe('application_already_open')
  }
})

test('without a key every request is a loan of its own', async () => {
  const loan = await (await startLoan()).service()
  const [one, two] = [
    await loan.post('/api/loans', { payload: ada }),
    await loan.post('/api/loans', { payload: { ...ada, ...grace } }),
  ]
  expect([one.status, two.status]).toEqual([201, 201])
  expect(one.body.id).not.toBe(two.body.id)
})

test('what is recorded names the request: who, which trace, which command, and no personal data', async () => {
  const loan = await (await startLoan()).service()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const { body } = await loan.post('/api/loans', {
    payload: ada,
    headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  })
  for (const { metadata } of await loan.eventsOf(body.id)) {
    expect(JSON.stringify(metadata)).not.toMatch(/Ada|St James|555555AA/)
    expect(metadata).toMatchObject({
      $correlationId: traceId,
      actor: 'anonymous',
      traceparent: expect.stringContaining(traceId),
      requestHash: expect.stringMatching(/^[\da-f]{64}$/),
    })
  }
})

test.each(['failing', 'garbage', 'slow'] as const)(
  'the bureau is %s: accepted all the same, to be checked later; a repeat is that loan',
  async (mode) => {
    const { service, bureau } = await startLoan()
    const loan = await service()
    const key = randomUUID()
    await bureau.behave(mode, mode === 'slow' ? 60_000 : 0)
    const { status, body } = await loan.request({}, key)
    expect([status, body.revision]).toEqual([201, '0'])
    expect(await loan.typesOf(body.id)).toEqual(['LoanRequested'])

    await bureau.behave('normal')
    expect((await loan.request({}, key)).body).toEqual(body)
    expect(await loan.typesOf(body.id)).toEqual(['LoanRequested'])
  },
)

test('a store that is slow at each step: answered in bounded time all the same, nothing more is begun, and the key is safe', async () => {
  const started = await startLoan()
  const held: (() => void)[] = []
  /** Answers only when the test says so; what was sent has arrived. */
  const slow = (store: EventStore): EventStore => ({
    ...store,
    append: async (...args) => {
      const reply = await store.append(...args)
      await new Promise<void>((resolve) => void held.push(resolve))
      return reply
    },
  })
  const loan = await started.service({ through: slow, applyMsMax: 1_500 })
  const other = await started.service()
  const key = randomUUID()
  // Connects, which is not what is to be slow.
  expect(await loan.reservationsOf(ada.nationalId)).toEqual([])
  const { status, body } = await loan.request({}, key)
  expect([status, body.code]).toEqual([503, 'event_store_unavailable'])
  const [reserved] = await loan.reservationsOf(ada.nationalId)
  const loanId = String(Object(reserved?.data).loanId)
  // The applicant is reserved after all; nobody waits for what would come next.
  for (const answer of held) answer()
  expect(await loan.typesOf(loanId)).toEqual([])
  expect((await other.request({}, key)).body.id).toBe(loanId)
  expect(await loan.typesOf(loanId)).toEqual(['LoanRequested', 'CreditChecked', 'ManualReviewRequired'])
})
