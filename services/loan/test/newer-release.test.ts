// What a newer release has written stops the loan that it is about until this one is replaced, and nothing else.
import { randomUUID } from 'node:crypto'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { expect, onTestFinished, test } from 'vitest'
import { ada, logger, startLoan } from './support.ts'

test.each([
  ['a type', { type: 'LoanFrozen', metadata: { schema: 1 } }],
  ['a shape of a type', { type: 'ManuallyApproved', metadata: { schema: 2 } }],
])('%s that is not known: 503 with Retry-After, as often as one asks', async (_what, newer) => {
  const { storeUrl, service } = await startLoan()
  const loan = await service()
  const { id } = (await loan.request()).body
  const other = (await loan.request({ nationalId: '565656AA' })).body.id
  const store = connectEventStore({ url: storeUrl, logger })
  onTestFinished(store.close)
  await store.append(`loan-${id}`, [{ id: randomUUID(), data: { loanId: id }, ...newer }], 2n)

  for (const replica of [loan, loan, await service()]) {
    const { status, headers, body } = await replica.post(`/api/loans/${id}/approve`)
    expect([status, body.code, headers['retry-after']]).toEqual([503, 'unknown_event_type', expect.any(String)])
  }
  // Whether the person may apply again depends on that loan: until it can be read, nobody says yes or no.
  expect((await loan.request({ nationalId: ada.nationalId })).body.code).toBe('unknown_event_type')
  expect((await loan.post(`/api/loans/${other}/approve`)).status).toBe(200)
  expect(await loan.typesOf(id)).toHaveLength(4)
})
