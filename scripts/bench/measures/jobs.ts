// Jobs and steps of processes a second: what follows from events, on the real queue and the real stores.
import path from 'node:path'
import { inTurns, type Measure, type Result } from '../measure.ts'
import type { JobsTasks } from '../workers/jobs.ts'

const jobCount = 2_000
const transferCount = 1_000
const quickCount = 100

const cases = [
  { what: 'jobs of one append, in no queue', isQueued: false },
  { what: 'jobs of one append, each in a queue of 64', isQueued: true },
] as const
const steps = 'steps of processes, two to a transfer'

export const jobs: Measure = {
  name: 'jobs',
  title: 'Jobs and steps of processes',
  how: `${jobCount} jobs that each append one event to a stream of its own wait when a worker with 8 places starts. ${transferCount} transfers
between toy accounts wait when the runner of processes starts: each is two steps, five appends. The event store and PostgreSQL wait for their disks.`,
  run: async ({ processes, rounds, quick, directory, newDatabase, wanted, say }) => {
    const { url: eventStoreUrl } = await processes.eventStore(path.join(directory, 'jobs'))
    const worker = processes.worker<JobsTasks>('workers/jobs.ts')
    const places = async () => ({ eventStoreUrl, databaseUrl: await newDatabase() })
    const count = quick ? quickCount : jobCount
    const sides: Record<string, () => Promise<number>> = Object.fromEntries(
      cases.map(({ what, isQueued }) => [
        what,
        async () => worker.call('jobs', { ...(await places()), count, isQueued }),
      ]),
    )
    sides[steps] = async () => worker.call('steps', { ...(await places()), count: quick ? quickCount : transferCount })
    say('in turns: jobs without and with queues, steps of processes')
    const chosen = Object.fromEntries(Object.entries(sides).filter(([what]) => wanted(what)))
    const figures = await inTurns(rounds, chosen)
    return Object.keys(chosen).map((what): Result => ({ what, unit: 'a second', ours: figures[what] ?? [] }))
  },
}
