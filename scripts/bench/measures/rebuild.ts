// A read model of a million events is built again while its loans are read: what the readers notice, and how long it takes.
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openSqliteWishes } from '@headwater/projections/sqlite/wishes'
import { loans } from '@headwater/read-models/loan/loans'
import { startBenchIssuer } from '../issuer.ts'
import { eventsALoan, loanIdOf } from '../loan-history.ts'
import type { Measure } from '../measure.ts'
import type { StoreBuilderTasks } from '../workers/store-builder.ts'

const loanCount = 250_000
const quickLoanCount = 5_000
const readsPerSecond = 200
const quietS = 10
/** A prime, so that the loans are visited all over the place. */
const strideLoans = 7_919
const lookEveryMs = 250
const rebuildMsMax = 20 * 60_000
const rebuild = { kind: 'rebuild', eventId: '' } as const

const p99 = (times: readonly number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN

export const rebuilding: Measure = {
  name: 'rebuild',
  title: 'Building a read model again',
  how: `An event store with ${loanCount * eventsALoan} events, an edge projector and a gateway; ${readsPerSecond} loans a second are read, each when it
is due, whether or not those before are answered. First ${quietS} s in peace, then while an operator has the read model \`loans\` built again on half a
core: until the copy has taken its place. All of it shares the machine.`,
  run: async ({ processes, quick, directory, newDatabase, say }) => {
    const count = quick ? quickLoanCount : loanCount
    const storeDirectory = path.join(directory, 'store')
    const edge = path.join(directory, 'edge')
    say(`making ${count} loans`)
    const builder = processes.worker<StoreBuilderTasks>('workers/store-builder.ts')
    await builder.call('fillLoans', { directory: storeDirectory, loans: count })
    await builder.stop()
    const { url: eventStoreUrl } = await processes.eventStore(storeDirectory)
    const issuer = await startBenchIssuer()
    const env = { EVENTSTORE_URL: eventStoreUrl, EDGE_DIRECTORY: edge, ...issuer.env }
    say('the first building')
    await processes.service('edge-projector', env)
    const gateway = await processes.service('gateway', { ...env, ...issuer.gatewayEnv(await newDatabase()) })
    const headers = { authorization: `Bearer ${await issuer.tokenOf({ sub: 'una', roles: ['underwriter'] })}` }
    let reads = 0
    const read = async (times: number[]) => {
      const began = performance.now()
      const answer = await fetch(`${gateway.url}/api/loans/${loanIdOf((reads++ * strideLoans) % count)}`, { headers })
      await answer.arrayBuffer()
      if (!answer.ok) throw new Error(`A loan was answered ${answer.status}.`)
      times.push(performance.now() - began)
    }
    /** Milliseconds a read. */
    const readUntil = async (isOver: () => boolean): Promise<readonly number[]> => {
      const times: number[] = []
      const asked: Promise<void>[] = []
      const from = performance.now()
      for (let n = 0; !isOver(); n++) {
        await sleep(Math.max(0, from + (n * 1_000) / readsPerSecond - performance.now()))
        asked.push(read(times))
      }
      await Promise.all(asked)
      return times
    }
    const seconds = (count: number) => {
      const end = performance.now() + count * 1_000
      return () => performance.now() > end
    }
    say('reading, to warm up and then in peace')
    await readUntil(seconds(2))
    const quiet = await readUntil(seconds(quick ? 2 : quietS))

    say('building it again')
    const wishes = openSqliteWishes(edge, `${loans.name}.v${loans.version}`)
    const began = performance.now()
    await wishes.add({ ...rebuild, by: 'bench', at: new Date() })
    let isOver = false
    const building = (async () => {
      while ((await wishes.all()).length > 0) {
        if (performance.now() - began > rebuildMsMax) throw new Error('The read model was not built again in time.')
        await sleep(lookEveryMs)
      }
    })().finally(() => {
      isOver = true
    })
    const during = await readUntil(() => isOver)
    await building
    const tookS = (performance.now() - began) / 1_000
    wishes.close()
    await issuer.stop()
    return [
      {
        what: 'reading a loan while its read model is built again, p99',
        unit: 'ms',
        ours: [p99(during)],
        beside: { name: 'in peace', figures: [p99(quiet)] },
        goal: { of: 'ratio', below: 2 },
      },
      {
        what: 'the slowest of a hundred reads meanwhile',
        unit: 'ms',
        ours: [p99(during)],
        goal: { of: 'figure', below: 50 },
      },
      { what: `building ${count * eventsALoan} events again on half a core`, unit: 's', ours: [tookS] },
      { what: 'building again', unit: 'events/s', ours: [(count * eventsALoan) / tookS] },
    ]
  },
}
