// Decides and folds whole lives of loans, in memory.

import { randomUUID } from 'node:crypto'
import { fold } from '@headwater/deciders/decider'
import { loan } from '@headwater/deciders/loan/loan'
import { requestLoan } from '../load.ts'
import { serveTasks } from '../worker.ts'

const loansMax = 1_000

/** Made before: what is measured is deciding and folding, and not always of the same loan. */
const lives = Array.from({ length: loansMax }, () => {
  const loanId = randomUUID()
  const at = new Date().toISOString()
  return [requestLoan(loanId), { type: 'ApproveLoan', data: { loanId, decidedBy: 'underwriter', at } }] as const
})
/** Kept, so that nothing can be left out because nobody looks at it. */
const states = lives.map(() => loan.initialState)

const tasks = {
  /** Commands decided and folded a second. */
  run: async ({ durationMs }: { durationMs: number }): Promise<number> => {
    const startedAt = performance.now()
    let decided = 0
    while (performance.now() - startedAt < durationMs)
      for (const [n, commands] of lives.entries()) {
        let state = loan.initialState
        for (const command of commands) state = fold(loan, state, loan.decide(command, state))
        states[n] = state
        decided += commands.length
      }
    if (!states.every(loan.isTerminal)) throw new Error('A loan was not decided.')
    return decided / ((performance.now() - startedAt) / 1_000)
  },
}
export type DeciderTasks = typeof tasks

serveTasks(tasks)
