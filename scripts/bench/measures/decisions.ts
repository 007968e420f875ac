// How fast the rules alone are: decide and evolve, a loan's whole life.
import type { Measure } from '../measure.ts'
import type { DeciderTasks } from '../workers/decider.ts'

const roundMs = 1_000

export const decisions: Measure = {
  name: 'decisions',
  title: 'Decide and evolve',
  how: `The loan decider in memory: a request whose score leaves it to an underwriter, then the approval. Two commands
and four events a loan, each command decided and its events folded.`,
  run: async ({ processes, rounds, quick }) => {
    const worker = processes.worker<DeciderTasks>('workers/decider.ts')
    const durationMs = quick ? roundMs / 5 : roundMs
    await worker.call('run', { durationMs })
    const ours: number[] = []
    for (let round = 0; round < rounds; round++) ours.push(await worker.call('run', { durationMs }))
    return [{ what: "decide + evolve, a loan's whole life", unit: 'commands/s', ours }]
  },
}
