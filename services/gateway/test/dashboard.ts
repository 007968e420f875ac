// A dashboard's read model in a Postgres database of the test's own, written as its projector would write it.
import { randomUUID } from 'node:crypto'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { formatPosition } from '@headwater/eventstore/position'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { stepOver } from '@headwater/projections/model/step'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { underwriting } from '@headwater/read-models/loan/underwriting'
import { testDatabase } from '@headwater/test-kit/database'

const logger = createLogger({ service: 'test', level: 'silent' })

export type Loan = { readonly loanId: string; readonly name: string; readonly amount: number; readonly score: number }

const minuteMs = 60_000
let now = Date.now() - 20 * 24 * 60 * minuteMs
const nextMinute = () => {
  now += minuteMs
  return new Date(now).toISOString()
}

export const newLoan = (fields: Partial<Loan> = {}): Loan => ({
  loanId: randomUUID(),
  name: 'Ada Lovelace',
  amount: 10_000,
  score: 5,
  ...fields,
})

/** The events of a loan that comes to wait for an underwriter, a minute after the one before. */
export const requested = ({ score, ...loan }: Loan): readonly LoanEvent[] => {
  const requestedAt = nextMinute()
  const application = {
    ...loan,
    nationalId: '555555AA',
    requestedBy: { kind: 'anonymous', id: 'anonymous' } as const,
    requestedAt,
  }
  return [
    { type: 'LoanRequested', data: { ...application, address: 'London' } },
    { type: 'CreditChecked', data: { loanId: loan.loanId, score, checkedAt: requestedAt } },
    { type: 'ManualReviewRequired', data: { ...application, score } },
  ]
}

export const approved = ({ loanId }: Loan): LoanEvent => ({
  type: 'ManuallyApproved',
  data: { loanId, decidedBy: 'una', reason: 'steady income, "long" history', decidedAt: nextMinute() },
})

export const startDashboard = async () => {
  const database = await testDatabase()
  const sink = openPostgresSink({ url: database.url, projection: underwriting, logger })
  let at = await sink.claim(randomUUID())
  /** One batch of events. */
  const project = async (...events: readonly LoanEvent[]): Promise<string> => {
    if (!at) throw new Error('somebody else writes this read model')
    const before = at.position.commit
    const stored = events.map((event, n) => {
      const place = before + BigInt(n) + 1n
      const [stream, position] = [`loan-${event.data.loanId}`, { commit: place, prepare: place }]
      return { ...event, id: randomUUID(), stream, revision: 0n, position, metadata: {}, recordedAt: new Date() }
    })
    const step = stepOver(underwriting, at, { events: stored, position: stored.at(-1)?.position ?? at.position })
    // As a projector does: a connection may have been ended since it was used last.
    const commit = (): ReturnType<typeof sink.commit> =>
      sink.commit(step).catch((error) => (sink.blame(error) === 'unavailable' ? commit() : Promise.reject(error)))
    if ((await commit()) !== 'committed') throw new Error('the read model was not written')
    at = step.to
    return formatPosition(at.position)
  }
  return {
    url: database.url,
    interrupt: database.interrupt,
    project,
    remove: async () => {
      await sink.close()
      await database.remove()
    },
  }
}
