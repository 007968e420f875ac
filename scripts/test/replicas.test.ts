// Three loan services over one store: one decision, one loan a request, no wrong refusals, also after all of them restart.
import { randomUUID } from 'node:crypto'
import {
  application,
  nationalId,
  type Part,
  post,
  type System,
  startSystem,
  underwriter,
} from '@headwater/test-kit/system'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let system: System
beforeAll(async () => {
  system = await startSystem({
    loanReplicas: 3,
    without: ['consent', 'dashboard-projector', 'edge-projector', 'gateway', 'jobs', 'web'],
  })
}, 60_000)
afterAll(() => system?.stop())

const replica = (index: number): Part => system.loans[index % 3] as Part
/** Anything but applying. */
const send = (url: string, headers: Readonly<Record<string, string>> = system.asUnderwriter) => post(url, {}, headers)
const apply = (index: number, key: string, body = application()) =>
  post(`${replica(index).url}/api/loans`, body, { 'idempotency-key': key })

describe('three replicas', () => {
  test('50 decisions on one loan at once: exactly one is recorded, the others are told who decided', async () => {
    const { body } = await apply(0, randomUUID())
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        send(`${replica(index).url}/api/loans/${body.id}/${index % 2 ? 'approve' : 'deny'}`),
      ),
    )
    const accepted = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 409)
    expect(accepted).toHaveLength(1)
    expect(refused).toHaveLength(49)
    for (const { body } of refused)
      expect(body).toMatchObject({
        code: 'loan_not_awaiting_review',
        decidedBy: underwriter,
        decidedAt: expect.any(String),
      })
    expect(new Set(refused.map(({ body }) => body.decidedAt)).size).toBe(1)
  })

  test('one request 20 times at once, and again after all three restarted: one loan, one answer', async () => {
    const key = randomUUID()
    const body = application(nationalId(9, 2))
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => apply(index, key, body)))
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(answers[0]?.status).toBe(201)

    for (const loan of system.loans) await loan.kill()
    await Promise.all(system.loans.map((loan) => loan.start()))
    for (const index of [0, 1, 2]) expect(await apply(index, key, body)).toEqual(answers[0])
    const other = await apply(1, key, { ...body, amount: body.amount + 1 })
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } })
  })

  test('a replica that has not heard of what the others wrote never refuses for that', async () => {
    const { body } = await apply(0, randomUUID(), application(nationalId(5, 3)))
    const unheardOf = randomUUID()
    expect((await send(`${replica(1).url}/api/loans/${unheardOf}/approve`)).status).toBe(404)
    expect((await send(`${replica(1).url}/api/loans/${body.id}/approve`)).status).toBe(200)
    const later = await apply(2, randomUUID(), application(nationalId(6, 4)))
    const applicant = await system.asApplicantOf(String(later.body.id))
    expect((await send(`${replica(0).url}/api/loans/${later.body.id}/withdraw`, applicant)).status).toBe(200)
    expect(await send(`${replica(1).url}/api/loans/${later.body.id}/approve`)).toMatchObject({
      status: 409,
      body: { code: 'loan_not_awaiting_review', status: 409 },
    })
  })
})
