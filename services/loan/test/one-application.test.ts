// One open application a person: who applies again is refused until the first is over, also over several replicas.
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { startLoan } from './support.ts'

const open = { nationalId: '555555AA' }

test('refused while one is open, without asking the bureau and without a word about the other', async () => {
  const { service, bureau } = await startLoan()
  const loan = await service()
  const first = await loan.request(open)
  await bureau.behave('failing')
  // As often as would open the breaker.
  for (let time = 0; time < 5; time++) {
    const { status, body } = await loan.request({ ...open, name: 'Somebody Else', amount: 5 })
    expect([status, body.code]).toEqual([409, 'application_already_open'])
    expect(JSON.stringify(body)).not.toMatch(new RegExp(`${first.body.id}|Ada|10000|555555AA`))
  }
  await expect.poll(async () => (await loan.server.inject('/health/ready')).json()).toMatchObject({ status: 'ready' })
})

test.each(['approve', 'deny', 'withdraw'])(
  'accepted again after %s, whether or not a job was faster',
  async (command) => {
    const loan = await (await startLoan()).service()
    const first = await loan.request(open)
    await loan.post(`/api/loans/${first.body.id}/${command}`)
    const second = await loan.request(open)
    expect(second.status).toBe(201)
    expect((await loan.reservationsOf(open.nationalId)).map(({ type, data }) => [type, data])).toMatchObject([
      ['ApplicationReserved', { loanId: first.body.id }],
      ['ApplicationReleased', { loanId: first.body.id }],
      ['ApplicationReserved', { loanId: second.body.id }],
    ])
  },
)

test('accepted again after the open loan was deleted, which is found no more, cached or not', async () => {
  const { service } = await startLoan()
  const [loan, other] = [await service(), await service()]
  const key = randomUUID()
  const { body } = await loan.request(open, key)
  await loan.deleteLoan(body.id)
  for (const replica of [loan, other])
    for (const command of ['approve', 'deny', 'withdraw'])
      expect(await replica.post(`/api/loans/${body.id}/${command}`)).toMatchObject({
        status: 404,
        body: { code: 'loan_not_found' },
      })
  expect(await loan.request(open, key)).toMatchObject({ status: 404, body: { code: 'stream_deleted' } })
  expect((await other.request(open)).status).toBe(201)
})

test('accepted again after the credit check decided', async () => {
  const loan = await (await startLoan()).service()
  for (let time = 0; time < 3; time++) expect((await loan.request({ nationalId: '999999AA' })).status).toBe(201)
})

test('what is invalid reserves nothing', async () => {
  const loan = await (await startLoan()).service()
  expect((await loan.request({ ...open, amount: 0 })).status).toBe(422)
  expect(await loan.reservationsOf(open.nationalId)).toEqual([])
})

test('the reservation names nobody: the stream is known by a keyed hash, the events hold ids', async () => {
  const loan = await (await startLoan()).service()
  const { body } = await loan.request(open)
  const [reserved] = await loan.reservationsOf(open.nationalId)
  expect(reserved?.data).toEqual({ loanId: body.id, at: expect.any(String) })
  expect(JSON.stringify(reserved)).not.toMatch(/555555AA|Ada/)
})

test('100 people apply twice at once over 3 replicas: 100 loans, and each second request is refused', async () => {
  const { service } = await startLoan()
  // So many at once on a busy machine are no bureau that does not answer.
  const patient = { applyMsMax: 50_000, bureauMsMax: 40_000 }
  const replicas = [await service(patient), await service(patient), await service(patient)]
  const people = Array.from({ length: 100 }, (_, person) => ({ nationalId: `5${String(person).padStart(5, '0')}AA` }))
  const answers = await Promise.all(
    [...people, ...people].map((person, index) => replicas[index % replicas.length]?.request(person)),
  )
  const statuses = people.map((_, person) => [answers[person]?.status, answers[person + people.length]?.status].sort())
  expect(statuses).toEqual(people.map(() => [201, 409]))
  const created = people.map((_, person) =>
    [answers[person], answers[person + people.length]].flatMap((answer) =>
      answer?.status === 201 ? [answer.body.id] : [],
    ),
  )
  expect(new Set(created.flat()).size).toBe(100)
  for (const [person, { nationalId }] of people.entries()) {
    const [loanId] = created[person] ?? []
    expect(await replicas[0]?.reservationsOf(nationalId)).toMatchObject([
      { type: 'ApplicationReserved', data: { loanId } },
    ])
    expect(await replicas[0]?.typesOf(loanId)).toEqual(['LoanRequested', 'CreditChecked', 'ManualReviewRequired'])
  }
})
