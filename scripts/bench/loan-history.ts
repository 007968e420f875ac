// Histories of loans as a store would give them, made on the spot and the same every time, in two orders.
import { createHash } from 'node:crypto'
import { fold } from '@headwater/deciders/decider'
import { loan } from '@headwater/deciders/loan/loan'
import type { EventStore } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { beginning } from '@headwater/eventstore/position'
import { requestLoan } from './load.ts'

export type Order =
  /** All events of a loan, then those of the next. */
  | 'adjacent'
  /** The first events of all loans, then all second ones: no batch holds two of one loan. */
  | 'spread'

/** LoanRequested, CreditChecked, ManualReviewRequired, ManuallyApproved. */
export const eventsALoan = 4

const uuidOf = (text: string): string => {
  const hex = createHash('md5').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const hashOf = (text: string): number => Number.parseInt(uuidOf(text).slice(0, 8), 16)

export const loanIdOf = (n: number): string => uuidOf(`loan ${n}`)

const at = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * 1_000).toISOString()

/** The events of loan `n`, oldest first. */
const lifeOf = (n: number) => {
  const loanId = loanIdOf(n)
  const request = requestLoan(loanId)
  if (request.type !== 'RequestLoan') throw new Error('Not a request.')
  const requested = loan.decide(
    { ...request, data: { ...request.data, amount: 1 + (n % 50_000), at: at(n) } },
    loan.initialState,
  )
  const approval = { loanId, decidedBy: 'underwriter', at: at(n + 60) }
  return [
    ...requested,
    ...loan.decide({ type: 'ApproveLoan', data: approval }, fold(loan, loan.initialState, requested)),
  ]
}

/** The event of `$all` whose number is `n`, from 0. */
export type History = { readonly length: number; readonly at: (n: number) => StoredEvent }

const stored = (n: number, loanNumber: number, revision: number): StoredEvent => {
  const event = lifeOf(loanNumber)[revision]
  if (!event) throw new Error('A loan has no such event.')
  return {
    ...event,
    id: uuidOf(`event ${n}`),
    stream: `loan-${loanIdOf(loanNumber)}`,
    revision: BigInt(revision),
    position: positionOf(n),
    recordedAt: new Date(Date.UTC(2026, 0, 1) + n),
    metadata: {},
  }
}

const positionOf = (n: number) => ({ commit: BigInt(n + 1), prepare: BigInt(n + 1) })

export const wholeLives = (loans: number, order: Order): History => ({
  length: loans * eventsALoan,
  at: (n) =>
    order === 'adjacent'
      ? stored(n, Math.floor(n / eventsALoan), n % eventsALoan)
      : stored(n, n % loans, Math.floor(n / loans)),
})

/** Which loans an underwriter decides: those of a while ago, or any at all. */
export type Desk = 'recent' | 'anywhere'

const recentLoans = 1_000

/** Goes on where `before`, of so many loans, ended: at a desk, a request and the decision on a loan of a while ago. */
export const furtherEvents = (before: History, loans: number, length: number, desk: Desk): History => ({
  length: before.length + length,
  at: (n) => {
    if (n < before.length) return before.at(n)
    const step = n - before.length
    if (desk === 'recent') {
      const newLoan = loans + Math.floor(step / eventsALoan)
      const revision = step % eventsALoan
      return stored(n, revision < eventsALoan - 1 ? newLoan : newLoan - recentLoans, revision)
    }
    // Any row is changed, whatever happened to it before: another time in it, and another status every second time.
    const old = stored(n, hashOf(`decision ${n}`) % loans, eventsALoan - 1)
    const type = hashOf(old.id) % 2 === 0 ? 'ManuallyApproved' : 'ManuallyDenied'
    return { ...old, type, data: { ...(old.data as object), decidedAt: at(n) } }
  },
})

/** Made now, so that making them is not measured. */
export const made = ({ length, at }: History, from = 0): History => {
  const events = Array.from({ length: length - from }, (_, n) => at(from + n))
  return { length, at: (n) => events[n - from] ?? at(n) }
}

/** An event store that holds a history in memory; nothing can be appended. */
export const storeOf = (history: History): EventStore => {
  const none = () => Promise.reject(new Error('The store in memory cannot do that.'))
  const head = history.length === 0 ? beginning : positionOf(history.length - 1)
  return {
    append: none,
    readStream: none,
    readStreamBack: none,
    tombstone: none,
    mayHideEvents: () => false,
    readAfter: none,
    readBefore: none,
    eventAfter: none,
    storeId: async () => uuidOf('the store in memory'),
    head: async () => head,
    eventAt: async (position) => {
      const n = Number(position.commit) - 1
      return n >= 0 && n < history.length ? history.at(n) : undefined
    },
    subscribe: (_categories, after, { onEvent, onCaughtUp }) => {
      let next = Number(after.commit)
      let flowing = false
      let over = false
      const flow = () => {
        flowing = true
        while (flowing && !over && next < history.length) onEvent(history.at(next++))
        if (!over && next === history.length) {
          next++
          onCaughtUp()
        }
      }
      setImmediate(flow)
      return {
        pause: () => {
          flowing = false
        },
        resume: () => void setImmediate(flow),
        close: () => {
          over = true
        },
      }
    },
    close: async () => undefined,
  }
}
