// From an append to the screens: through event store, projector and gateway, each a process of its own.
import path from 'node:path'
import { startBenchIssuer } from '../issuer.ts'
import type { Measure } from '../measure.ts'
import type { ViewersTasks } from '../workers/viewers.ts'

const sockets = 200
/** Each at an address and with a token of their own, as the gateway limits the sockets of either. */
const people = 10
const perSecond = 100
const roundMs = 8_000
const warmUpMs = 2_000

export const live: Measure = {
  name: 'live',
  title: 'From append to socket',
  how: `Embedded event store, edge projector and gateway as processes of their own; a fourth process holds ${sockets}
sockets of ${people} underwriters that all watch the live loans, and appends ${perSecond} loans a second (three events each) for ${roundMs / 1_000} s
a round. Every loan's arrival at every socket counts, from the call of append. The process that measures also receives
${sockets * perSecond} messages a second: its own delay is in the figures.`,
  run: async ({ processes, rounds, quick, directory, newDatabase, say }) => {
    const eventStore = await processes.eventStore(path.join(directory, 'store'))
    const issuer = await startBenchIssuer()
    const env = { EVENTSTORE_URL: eventStore.url, EDGE_DIRECTORY: path.join(directory, 'edge') }
    await processes.service('edge-projector', env)
    const gateway = await processes.service('gateway', { ...env, ...issuer.gatewayEnv(await newDatabase()) })
    const viewers = processes.worker<ViewersTasks>('workers/viewers.ts')
    const watch = {
      eventStoreUrl: eventStore.url,
      liveUrl: `ws://127.0.0.1:${gateway.port}/live`,
      tokens: await Promise.all(
        Array.from({ length: people }, (_, n) => issuer.tokenOf({ sub: `underwriter-${n}`, roles: ['underwriter'] })),
      ),
      sockets: quick ? 20 : sockets,
      perSecond,
    }
    say('warming up')
    await viewers.call('run', { ...watch, durationMs: warmUpMs })
    const p50: number[] = []
    const p99: number[] = []
    let missing = 0
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1}`)
      const figures = await viewers.call('run', { ...watch, durationMs: quick ? warmUpMs : roundMs })
      p50.push(figures.p50)
      p99.push(figures.p99)
      missing += figures.missing
    }
    await issuer.stop()
    const note = missing > 0 ? `${missing} arrivals are missing.` : undefined
    return [
      { what: 'append to socket, p50', unit: 'ms', ours: p50, goal: { of: 'figure', below: 15 }, note },
      { what: 'append to socket, p99', unit: 'ms', ours: p99, goal: { of: 'figure', below: 100 }, note },
    ]
  },
}
