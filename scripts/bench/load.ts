// The load that every contender carries: the same commands for the same deciders, so many at once, for so long.
import type { LoanCommand } from '@headwater/deciders/loan/loan'
import type { Deposit } from './account.ts'

export type Load = {
  /** `new`: each command requests a loan on a stream of its own; `deposit`: on the streams that were filled. */
  readonly kind: 'new' | 'deposit'
  /** Names the streams. */
  readonly prefix: string
  readonly streams: number
  readonly inFlight: number
  /** Whether the process may know the streams from before; Emmett has no such memory. */
  readonly memory: 'warm' | 'cold'
  readonly durationMs: number
  readonly commandsMax?: number
}

export type Filling = { readonly prefix: string; readonly streams: number; readonly eventsEach: number }

export type Outcome = {
  readonly perSecond: number
  readonly done: number
  readonly failed: number
  /** The first failure's message. */
  readonly failure: string | undefined
}

/** What every contender's worker serves. */
export type ContenderTasks = {
  readonly open: (input: { readonly url: string }) => Promise<void>
  readonly fill: (filling: Filling) => Promise<void>
  readonly run: (load: Load) => Promise<Outcome>
}

const at = '2026-11-21T09:00:00.000Z'

export const accountId = (prefix: string, n: number): string => `${prefix}-${n}`

export const deposit = (id: string, n: number): Deposit => ({
  type: 'Deposit',
  data: { accountId: id, amount: n % 1_000, reference: `deposit number ${n}`, at },
})

/** A request whose score leaves the decision to an underwriter: three events in one append. */
export const requestLoan = (loanId: string, requestedAt = at): LoanCommand => ({
  type: 'RequestLoan',
  data: {
    loanId,
    name: 'Ada Lovelace',
    address: '12 St James Square, London',
    nationalId: '555555AA',
    amount: 10_000,
    requestedBy: { kind: 'anonymous', id: 'anonymous' },
    at: requestedAt,
    creditScore: { score: 5, nationalId: '555555AA', checkedAt: requestedAt },
  },
})

/** Persons a pair of letters. */
const serialsMax = 100_000
const letters = 26

/** Another person's for every number. */
export const nationalIdOf = (person: number): string => {
  const pair = Math.floor(person / serialsMax)
  const pairText = String.fromCharCode(65 + (Math.floor(pair / letters) % letters), 65 + (pair % letters))
  return `5${String(person % serialsMax).padStart(5, '0')}${pairText}`
}

/** Keeps so many commands in flight until the time is up, and counts those that were answered. */
export const drive = async (
  { inFlight, durationMs, commandsMax = Number.POSITIVE_INFINITY }: Load,
  send: (n: number) => Promise<unknown>,
): Promise<Outcome> => {
  const startedAt = performance.now()
  let sent = 0
  let done = 0
  let failed = 0
  let failure: string | undefined
  const oneAfterTheOther = async () => {
    while (sent < commandsMax && performance.now() - startedAt < durationMs) {
      try {
        await send(sent++)
        done++
      } catch (error) {
        failed++
        failure ??= error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, oneAfterTheOther))
  return { perSecond: done / ((performance.now() - startedAt) / 1_000), done, failed, failure }
}

/** The figure below which `share` of the others lie. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
