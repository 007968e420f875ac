// Consents: the check of hospital systems beside an empty route, with few and with many consents; revoking; long histories.
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { patientStream } from '@headwater/deciders/consent/streams'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { snapshotStreamOf, streamName } from '@headwater/eventstore/stream-name'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { startIssuer } from '@headwater/test-kit/issuer'
import { type Bench, inTurns, type Measure } from '../measure.ts'
import type { ConsentGatewayTasks } from '../workers/consent-gateway.ts'
import type { ConsentStoreTasks } from '../workers/consent-store.ts'

const few = 1_000
const many = 1_000_000
const quickMany = 10_000
/** At so many at once: the more ask, the more share a look into the event store. */
const connectionsOf = { some: 50, more: 200 }
const roundS = 5
const revocations = 200
const shortHistory = 1_000
const longHistory = 100_000
const histories = [shortHistory, longHistory]
const coldCommands = 30
const tokenLifetimeSeconds = 60 * 60

/** An event store with so many consents, an edge projector, and a gateway on its rows. */
const startCity = async ({ processes, directory, say }: Bench, patients: number, env: Record<string, string>) => {
  const storeDirectory = path.join(directory, `store-${patients}`)
  const builder = processes.worker<ConsentStoreTasks>('workers/consent-store.ts')
  say(`making ${patients} consents`)
  await builder.call('fill', { directory: storeDirectory, patients, histories })
  await builder.stop()
  const { url: eventStoreUrl } = await processes.eventStore(storeDirectory)
  const newEdge = async (name: string) => {
    const edge = path.join(directory, `edge-${patients}-${name}`)
    await processes.service('edge-projector', { EVENTSTORE_URL: eventStoreUrl, EDGE_DIRECTORY: edge })
    const gateway = processes.worker<ConsentGatewayTasks>('workers/consent-gateway.ts')
    return gateway.call('start', { eventStoreUrl, directory: edge, env })
  }
  return { eventStoreUrl, newEdge }
}

const patientsOn = (url: string) => {
  const logger = createLogger({ service: 'bench', level: 'fatal' })
  const store = connectEventStore({ url, logger })
  // The first command on a long history reads all of it.
  const handler = () => createCommandHandler({ store, stream: patientStream, logger, answerMsMax: 60_000 })
  const once = () => ({ commandId: randomUUID(), notBefore: 'now' as const, requestHash: 'bench', actor: 'bench' })
  const snapshotIsThere = async (patientId: string) =>
    (await store.readStreamBack(snapshotStreamOf(streamName('patient', patientId)), 'end', 1)).length > 0
  return { handler, once, snapshotIsThere, close: store.close }
}

type Patients = ReturnType<typeof patientsOn>

/** The medians of each round. */
const measureCold = async (
  handler: Patients['handler'],
  once: Patients['once'],
  snapshotIsThere: Patients['snapshotIsThere'],
  rounds: number,
) => {
  let sent = 0
  const grant = async (length: number) => {
    const patientId = `long-${length}`
    const to = { kind: 'doctor', id: 'cold' } as const
    const until = new Date(Date.now() + 60_000 + ++sent).toISOString()
    const data = { patientId, to, target: 'exams', kinds: ['doctor'], at: new Date().toISOString(), until } as const
    const began = performance.now()
    await handler().handle({ ...once(), id: patientId, command: { type: 'GrantConsent', data } })
    return performance.now() - began
  }
  // As a history that has grown by commands, each has a snapshot.
  for (const length of histories) {
    await grant(length)
    while (!(await snapshotIsThere(`long-${length}`)));
  }
  const medianOf = async (length: number) => {
    const times: number[] = []
    for (let n = 0; n < coldCommands; n++) times.push(await grant(length))
    return times.toSorted((a, b) => a - b)[coldCommands / 2] ?? Number.NaN
  }
  return inTurns(rounds, { short: () => medianOf(shortHistory), long: () => medianOf(longHistory) })
}

export const consents: Measure = {
  name: 'consents',
  title: 'Consents',
  how: `\`POST /api/consents/check\` by autocannon with ${connectionsOf.some} and ${connectionsOf.more} connections for ${roundS} s a round, in turns
with a route of the same process that checks the same token and body and answers at once; every check is about one of
10000 patients anywhere among all, proved current against the event store by the projector, and counted for the audit. Gateway, projector, event store and load share the machine. One after the other: the median of single checks, with ${few} and with ${many} consents. Revoking: from the answer of
the command to a "no" of two gateways with projectors of their own. Cold: the first command of a process on one
patient who has a snapshot, ${coldCommands} of them a round.`,
  run: async (bench) => {
    const { processes, rounds, quick, peersMissing, say } = bench
    const missing = peersMissing()
    if (missing !== undefined) throw new Error(missing)
    const issuer = await startIssuer({ lifetimeSeconds: tokenLifetimeSeconds })
    const token = await issuer.partnerTokenOf('hospital', ['consents:check'])
    const manyOf = quick ? quickMany : many
    const small = await startCity(bench, few, issuer.env)
    const large = await startCity(bench, manyOf, issuer.env)
    const [{ gatewayUrl: smallUrl }, { gatewayUrl: largeUrl, emptyUrl }, { gatewayUrl: otherUrl }] = [
      await small.newEdge('a'),
      await large.newEdge('a'),
      await large.newEdge('b'),
    ]
    const client = processes.worker<ConsentGatewayTasks>('workers/consent-gateway.ts')
    const load = async (url: string, route: string, connections: number) => {
      const seconds = quick ? 1 : roundS
      const asked = { url, path: route, token, patients: manyOf, connections, seconds }
      return (await client.call('load', asked)).perSecond
    }
    const single = (url: string, patients: number) =>
      client.call('oneByOne', { url, path: '/api/consents/check', token, patients, count: quick ? 100 : 1_000 })
    say('warming up')
    await load(largeUrl, '/api/consents/check', connectionsOf.some)
    await load(emptyUrl, '/bench/empty', connectionsOf.some)
    say('in turns: check, empty route; few, many')
    const inTurnsAt = (connections: number) =>
      inTurns(rounds, {
        check: () => load(largeUrl, '/api/consents/check', connections),
        empty: () => load(emptyUrl, '/bench/empty', connections),
      })
    const throughput = { some: await inTurnsAt(connectionsOf.some), more: await inTurnsAt(connectionsOf.more) }
    const latency = await inTurns(rounds, {
      many: () => single(largeUrl, manyOf),
      few: () => single(smallUrl, few),
    })

    say('revoking')
    const { handler, once, snapshotIsThere, close } = patientsOn(large.eventStoreUrl)
    const commands = handler()
    const to = { kind: 'doctor', id: 'the bench' } as const
    const times: number[] = []
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const isNo = async (url: string, patientId: string) => {
      const body = JSON.stringify({ patientId, grantee: to, target: 'exams' })
      const answer = await fetch(`${url}/api/consents/check`, { method: 'POST', headers, body })
      return answer.ok && !((await answer.json()) as { hasConsent: boolean }).hasConsent
    }
    for (let n = 0; n < (quick ? 20 : revocations); n++) {
      const patientId = `revoking-${n}`
      const data = { patientId, target: 'exams', at: new Date().toISOString() } as const
      await commands.handle({
        ...once(),
        id: patientId,
        command: { type: 'GrantConsent', data: { ...data, to, kinds: ['doctor'] } },
      })
      await commands.handle({
        ...once(),
        id: patientId,
        command: { type: 'RevokeConsent', data: { ...data, from: to } },
      })
      const revoked = performance.now()
      await Promise.all(
        [largeUrl, otherUrl].map(async (url) => {
          while (!(await isNo(url, patientId)));
        }),
      )
      times.push(performance.now() - revoked)
    }
    const p99 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN

    say('cold commands')
    const cold = await measureCold(handler, once, snapshotIsThere, rounds)
    await close()
    await issuer.stop()
    return [
      ...(['some', 'more'] as const).map((size) => ({
        what: `POST /api/consents/check, ${connectionsOf[size]} connections`,
        unit: 'requests/s',
        ours: throughput[size].check,
        beside: { name: 'empty route', figures: throughput[size].empty },
        goal: { of: 'ratio', atLeast: 0.6 } as const,
        missedBecause:
          'the fewer ask at once the fewer checks share a look, and each look is paid for by projector and event store on the same two cores',
      })),
      {
        what: `check, one after the other, ${manyOf} consents, p50`,
        unit: 'ms',
        ours: latency.many,
        beside: { name: `${few} consents`, figures: latency.few },
        goal: { of: 'ratio', below: 1.5 },
      },
      { what: 'revoke to "no" on two gateways, p99', unit: 'ms', ours: [p99], goal: { of: 'figure', below: 1_000 } },
      ...[{ of: 'ratio', below: 1.3 } as const, { of: 'figure', below: 100 } as const].map((goal) => ({
        what: `cold command on a patient with ${longHistory} events, p50`,
        unit: 'ms',
        ours: cold.long,
        beside: { name: `${shortHistory} events`, figures: cold.short },
        goal,
      })),
    ]
  },
}
