// What the rules refuse to somebody who is known is in the audit trail, and nothing else of what is refused.
import { connectEventStore } from '@headwater/eventstore/client/client'
import { expect, onTestFinished, test } from 'vitest'
import { logger, startLoan } from './support.ts'

const deadlineMs = 20_000

test('a refusal by a rule is written down, once, with who and what; what is malformed or from nobody is not', async () => {
  const { storeUrl, service } = await startLoan()
  const { request, post } = await service()
  const store = connectEventStore({ url: storeUrl, logger })
  onTestFinished(store.close)
  const { id: loanId } = (await request()).body
  const approve = (sent: Parameters<typeof post>[1] = {}) => post(`/api/loans/${loanId}/approve`, sent)
  expect((await approve()).status).toBe(200)
  expect((await approve({ as: null })).status).toBe(401)
  expect((await approve({ payload: { odd: 1 } })).status).toBe(422)
  expect((await approve()).status).toBe(409)
  const entries = async () => {
    const days = await store.readStream(`audit-${new Date().toISOString().slice(0, 10)}`, 0n, 1_000)
    return days.filter(({ data }) => Object(data).resource === loanId)
  }
  await expect.poll(async () => (await entries()).length, { timeout: deadlineMs }).toBeGreaterThan(0)
  expect(await entries()).toMatchObject([
    {
      type: 'RequestRefused',
      data: {
        actor: { kind: 'person', sub: 'uma', roles: ['underwriter'] },
        method: 'POST',
        route: '/api/loans/:id/approve',
        status: 409,
        code: 'loan_not_awaiting_review',
      },
    },
  ])
})
