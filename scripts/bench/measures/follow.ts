// Projecting end to end from the event store, as a share of what the client alone can read from it.
import path from 'node:path'
import { inTurns, type Measure } from '../measure.ts'
import type { ProjectorTasks } from '../workers/projector.ts'

const loanCount = 25_000
const quickLoanCount = 1_000

export const follow: Measure = {
  name: 'follow',
  title: 'Projections from the event store',
  how: `The embedded event store in a process of its own holds ${loanCount * 4} events of ${loanCount} loans. Bare: the
official client's filtered subscription to \`$all\` with nothing behind it. Beside it the read model \`loans\` from
empty, from the start of the projection to its catching up.`,
  run: async ({ processes, rounds, quick, directory, newDatabase, say }) => {
    const { url } = await processes.eventStore(path.join(directory, 'store'))
    const worker = processes.worker<ProjectorTasks>('workers/projector.ts')
    say('appending')
    const events = await worker.call('appendLives', { url, loanCount: quick ? quickLoanCount : loanCount })
    let targets = 0
    const newFolder = () => path.join(directory, String(++targets))
    say('warming up')
    await worker.call('bareRead', { url, events })
    await worker.call('follow', { url, target: newFolder(), events })
    say('in turns: bare, SQLite, PostgreSQL')
    const figures = await inTurns(rounds, {
      bare: () => worker.call('bareRead', { url, events }),
      sqlite: () => worker.call('follow', { url, target: newFolder(), events }),
      postgres: async () => worker.call('follow', { url, target: await newDatabase(), events }),
    })
    const beside = { name: 'client alone', figures: figures.bare }
    return [
      {
        what: 'from the event store into SQLite',
        unit: 'events/s',
        ours: figures.sqlite,
        beside,
        goal: { of: 'ratio', atLeast: 0.5 },
      },
      {
        what: 'from the event store into PostgreSQL',
        unit: 'events/s',
        ours: figures.postgres,
        beside,
        goal: { of: 'ratio', atLeast: 0.4 },
      },
    ]
  },
}
