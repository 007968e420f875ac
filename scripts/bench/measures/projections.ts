// Projecting from batches in memory: what the projection and its store can do when events cost nothing.
import path from 'node:path'
import { type Goal, inTurns, type Measure, type Result } from '../measure.ts'
import type { ProjectorTasks } from '../workers/projector.ts'

const loanCount = 40_000
const quickLoanCount = 1_000

const cases = [
  { what: "into SQLite, a loan's events adjacent", sink: 'sqlite', order: 'adjacent', atLeast: 60_000 },
  { what: "into SQLite, a loan's events spread", sink: 'sqlite', order: 'spread', atLeast: 25_000 },
  { what: "into PostgreSQL, a loan's events adjacent", sink: 'postgres', order: 'adjacent', atLeast: 60_000 },
  { what: "into PostgreSQL, a loan's events spread", sink: 'postgres', order: 'spread', atLeast: undefined },
] as const

export const projections: Measure = {
  name: 'projections',
  title: 'Projections from memory',
  how: `The read model \`loans\` from empty, ${loanCount * 4} events of ${loanCount} loans that are in memory already,
through the whole of the projection: batches of up to 500, rows, change feed and checkpoint in one transaction each.
"Adjacent": the four events of a loan follow each other. "Spread": no batch holds two events of one loan, so that every
event loads and writes a row.`,
  run: async ({ processes, rounds, quick, directory, newDatabase, wanted, say }) => {
    const worker = processes.worker<ProjectorTasks>('workers/projector.ts')
    const chosen = cases.filter(({ what }) => wanted(what))
    const count = quick ? quickLoanCount : loanCount
    let targets = 0
    const target = async (sink: string) =>
      sink === 'sqlite' ? path.join(directory, String(++targets)) : await newDatabase()
    await worker.call('fromMemory', { target: await target('sqlite'), loanCount: quickLoanCount, order: 'spread' })
    say('in turns: SQLite adjacent and spread, PostgreSQL adjacent and spread')
    const figures = await inTurns(
      rounds,
      Object.fromEntries(
        chosen.map(({ what, sink, order }) => [
          what,
          async () => worker.call('fromMemory', { target: await target(sink), loanCount: count, order }),
        ]),
      ),
    )
    return chosen.map(({ what, atLeast }): Result => {
      const goal: Goal | undefined = atLeast === undefined ? undefined : { of: 'figure', atLeast }
      return { what, unit: 'events/s', ours: figures[what] ?? [], ...(goal ? { goal } : {}) }
    })
  },
}
