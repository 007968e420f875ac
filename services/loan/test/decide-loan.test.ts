// Approving, denying and withdrawing over HTTP: accepted, refused, repeated, conflicting.
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startLoan } from './support.ts'

const outcomes = { approve: 'ManuallyApproved', deny: 'ManuallyDenied', withdraw: 'LoanWithdrawn' } as const

const startWithLoan = async (nationalId = '555555AA') => {
  const { service } = await startLoan()
  const loan = await service()
  const { id } = (await loan.request({ nationalId })).body
  return { service, loan, id, url: (command: string) => `/api/loans/${id}/${command}` }
}

describe.each(['approve', 'deny', 'withdraw'] as const)('%s', (command) => {
  test('accepted, answered as changed and not as created (D5)', async () => {
    const { loan, id, url } = await startWithLoan()
    const { status, headers, body } = await loan.post(url(command), { payload: { reason: ' because ' } })
    expect(status).toBe(200)
    expect(body).toEqual({ id, revision: '3', position: expect.any(String) })
    expect(headers).toMatchObject({ etag: '"3"', 'headwater-position': body.position })
    expect(headers.location).toBeUndefined()
    const last = (await loan.eventsOf(id)).at(-1)
    expect(last).toMatchObject({ type: outcomes[command], data: { loanId: id, reason: 'because' } })
  })

  test('accepted without a body: no reason is given', async () => {
    const { loan, id, url } = await startWithLoan()
    expect((await loan.post(url(command))).status).toBe(200)
    expect((await loan.eventsOf(id)).at(-1)?.data).toMatchObject({ reason: null })
  })

  test.each([
    ['an actor in the body', { decidedBy: 'udo' }, 'decidedBy'],
    ['a time in the body', { at: '2020-01-01T00:00:00Z' }, 'at'],
    ['a reason that is too long', { reason: 'x'.repeat(501) }, 'reason'],
  ])('refused: %s', async (_what, payload, field) => {
    const { loan, url } = await startWithLoan()
    const { status, body } = await loan.post(url(command), { payload })
    expect([status, body.code, body.errors[0].field]).toEqual([422, 'validation', field])
  })

  test('refused: there is no such loan', async () => {
    const { loan } = await startWithLoan()
    const unknown = await loan.post(`/api/loans/${randomUUID()}/${command}`)
    expect([unknown.status, unknown.body.code]).toEqual([404, 'loan_not_found'])
    const impossible = await loan.post(`/api/loans/1/${command}`)
    expect([impossible.status, impossible.body.code]).toEqual([404, 'not_found'])
  })

  test('repeated: the same answer and one decision, also from another replica', async () => {
    const { service, loan, id, url } = await startWithLoan()
    const key = randomUUID()
    const first = await loan.post(url(command), { key })
    for (const replica of [loan, await service()]) {
      const again = await replica.post(url(command), { key })
      expect([again.status, again.body]).toEqual([200, first.body])
    }
    expect(await loan.typesOf(id)).toHaveLength(4)
  })

  test('conflicting: another body under a used key', async () => {
    const { loan, url } = await startWithLoan()
    const key = randomUUID()
    await loan.post(url(command), { key, payload: { reason: 'one' } })
    const { status, body } = await loan.post(url(command), { key, payload: { reason: 'two' } })
    expect([status, body.code]).toEqual([422, 'idempotency_key_reused'])
  })

  test('conflicting: somebody decided before', async () => {
    const { service, loan, url } = await startWithLoan()
    const other = await service({ underwriter: 'udo' })
    await other.post(url('approve'))
    const { status, body } = await loan.post(url(command))
    expect(status).toBe(409)
    expect(body).toMatchObject({ status: 409, decidedAt: expect.any(String) })
    // The applicant is not told who it was.
    expect(body.decidedBy).toBe(command === 'withdraw' ? undefined : 'udo')
  })

  test('conflicting: it changed since the caller looked', async () => {
    const { loan, id, url } = await startWithLoan()
    const stale = await loan.post(url(command), { ifMatch: '"1"' })
    expect([stale.status, stale.body.code]).toEqual([412, 'revision_mismatch'])
    expect((await loan.post(url(command), { ifMatch: '"2"' })).status).toBe(200)
    expect(await loan.typesOf(id)).toHaveLength(4)
  })
})

describe.each(['approve', 'deny'] as const)('%s', (command) => {
  test('refused: nobody is signed in, whatever else is wrong', async () => {
    const { loan, url } = await startWithLoan()
    const { status, body } = await loan.post(url(command), { as: null, payload: { odd: 1 } })
    expect([status, body.code]).toEqual([401, 'not_signed_in'])
  })

  test('D4: refused: a revision was expected and there is no such loan', async () => {
    const { loan } = await startWithLoan()
    const { status, body } = await loan.post(`/api/loans/${randomUUID()}/${command}`, { ifMatch: '"0"' })
    expect([status, body.code]).toEqual([412, 'revision_mismatch'])
  })

  test('refused: the credit check decided already', async () => {
    const { loan, url } = await startWithLoan('999999AA')
    const { status, body } = await loan.post(url(command))
    expect(status).toBe(409)
    expect(body).toMatchObject({ code: 'loan_not_awaiting_review', decidedBy: 'the credit check' })
  })
})

test('50 decisions at once over 3 replicas: exactly one is recorded, the others are told by whom', async () => {
  const { service, loan, id, url } = await startWithLoan()
  const replicas = [loan, await service({ underwriter: 'udo' }), await service({ underwriter: 'ute' })]
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      replicas[index % replicas.length]?.post(url(index % 2 ? 'approve' : 'deny'), { key: randomUUID() }),
    ),
  )
  expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(1)
  expect(answers.filter((answer) => answer?.status === 409 && answer.body.decidedBy)).toHaveLength(49)
  expect(await loan.typesOf(id)).toHaveLength(4)
})
