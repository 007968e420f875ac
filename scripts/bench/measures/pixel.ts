// From an append to the screen of an underwriter: through event store, dashboard projector, Postgres, gateway and a real browser.
import path from 'node:path'
import { freePort } from '@headwater/test-kit/free-port'
import { startSignedIn } from '@headwater/test-kit/signed-in'
import { buildWeb } from '../../build-web.ts'
import { startBenchIssuer } from '../issuer.ts'
import type { Measure } from '../measure.ts'
import type { WatcherTasks } from '../workers/watcher.ts'

const eventsPerSecond = 100
/** Requested, checked, left to an underwriter. */
const eventsPerLoan = 3
const roundMs = 8_000
const warmUpMs = 2_000

export const pixel: Measure = {
  name: 'pixel',
  title: 'From append to pixel',
  how: `A headless Chromium shows the underwriters' live queue, the newest first; all it asks for passes a relay that adds an
underwriter's token. Embedded event store, dashboard
projector (durable PostgreSQL), gateway and pages are processes of their own; a further one appends loans that need
review, ${eventsPerSecond} events a second (${eventsPerLoan} a loan), for ${roundMs / 1_000} s a round. Of every loan: from the call of append
until its row is painted. A MutationObserver in the page sees the row, the callback of the next animation frame takes
the time, when the frame with the row is out: never too early, by up to a frame too late. A row that is not there after
10 s counts as 10 s. Both ends read the clock of one machine, which also runs the browser and all else.`,
  run: async ({ processes, rounds, quick, directory, newDatabase, say }) => {
    buildWeb()
    const eventStore = await processes.eventStore(path.join(directory, 'store'))
    const issuer = await startBenchIssuer()
    const databaseUrl = await newDatabase()
    const env = {
      EVENTSTORE_URL: eventStore.url,
      DATABASE_URL: databaseUrl,
      EDGE_DIRECTORY: path.join(directory, 'edge'),
    }
    await Promise.all([processes.service('edge-projector', env), processes.service('dashboard-projector', env)])
    // These two are ready when they have found each other.
    const ports = { gateway: String(await freePort()), web: String(await freePort()) }
    const gatewayUrl = `http://127.0.0.1:${ports.gateway}`
    await Promise.all([
      processes.service('web', { GATEWAY_URL: gatewayUrl, PORT: ports.web }),
      processes.service('gateway', {
        ...env,
        ...issuer.gatewayEnv(databaseUrl),
        WEB_URL: `http://127.0.0.1:${ports.web}`,
        PORT: ports.gateway,
      }),
    ])
    const token = await issuer.tokenOf({ roles: ['underwriter'] })
    const underwriter = await startSignedIn(gatewayUrl, { authorization: `Bearer ${token}` })
    const watcher = processes.worker<WatcherTasks>('workers/watcher.ts')
    const watch = {
      eventStoreUrl: eventStore.url,
      pageUrl: `${underwriter.url}/underwriting?sort=requestedAt&direction=desc`,
      loansPerSecond: eventsPerSecond / eventsPerLoan,
    }
    say('warming up')
    await watcher.call('run', { ...watch, durationMs: warmUpMs })
    const p50: number[] = []
    const p95: number[] = []
    let missing = 0
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1}`)
      const figures = await watcher.call('run', { ...watch, durationMs: quick ? warmUpMs : roundMs })
      p50.push(figures.p50)
      p95.push(figures.p95)
      missing += figures.missing
    }
    await underwriter.stop()
    await issuer.stop()
    const note = missing > 0 ? `${missing} rows were never painted.` : undefined
    return [
      { what: 'append to pixel, p50', unit: 'ms', ours: p50, note },
      { what: 'append to pixel, p95', unit: 'ms', ours: p95, goal: { of: 'figure', below: 1_000 }, note },
    ]
  },
}
