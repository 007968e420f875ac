// Projections under load, and with changed or deleted streams of their own.
import {
  EventStoreDBClient,
  jsonEvent,
  PARK,
  persistentSubscriptionToStreamSettingsFromDefaults,
  START,
} from '@eventstore/db-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openProjections } from '../src/projections/projections.ts'
import { type EmbeddedEventStore, start } from '../src/start.ts'
import { ownAppend, jsonEvent as ownEvent } from '../src/store/own-events.ts'
import { openStore } from '../src/store/store.ts'
import type { Outcome } from '../src/store/writer.ts'
import { added, collect, many } from './helpers.ts'
import { caughtUp, linksOf, projectionNames, targetsOf } from './projections-helpers.ts'

const name = '$by_category'
const checkpoints = '$projections-$by_category-checkpoint'

let store: EmbeddedEventStore
let client: EventStoreDBClient

beforeEach(async () => {
  store = await start({ memory: true })
  client = EventStoreDBClient.connectionString(store.connectionString)
})
afterEach(async () => {
  await client.dispose()
  await store.stop()
})

test('appends are answered while a projection catches up', async () => {
  for (let number = 0; number < 5; number++) await client.appendToStream(`a-${number}`, many(300))
  await Promise.all(projectionNames.map((each) => client.enableProjection(each)))
  await client.appendToStream('b-1', added())
  expect((await client.getProjectionStatus(name)).progress).toBeLessThan(100)
  await caughtUp(client)
  expect(await linksOf(client, '$ce-a')).toHaveLength(1_500)
  expect(await linksOf(client, '$ce-b')).toEqual(['0@b-1'])
})

test('a persistent subscription delivers the events of a category stream', async () => {
  await client.enableProjection(name)
  await client.appendToStream('a-1', many(2))
  await caughtUp(client)
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, resolveLinkTos: true })
  await client.createPersistentSubscriptionToStream('$ce-a', 'group', settings)
  const subscription = client.subscribeToPersistentSubscriptionToStream('$ce-a', 'group')
  const seen: string[] = []
  for await (const received of subscription) {
    seen.push(`${received.event?.revision}@${received.event?.streamId}`)
    await (seen.length === 2 ? subscription.nack(PARK, 'seen', received) : subscription.ack(received))
    if (seen.length === 2) await client.appendToStream('a-2', added())
    if (seen.length === 3) break
  }
  expect(seen).toEqual(['0@a-1', '1@a-1', '0@a-2'])
  await subscription.unsubscribe()
})

test('a projection without its checkpoint stream is faulted and reports the reason', async () => {
  await client.enableProjection(name)
  await client.appendToStream('a-1', added())
  await caughtUp(client)
  await client.tombstoneStream(checkpoints)
  await client.appendToStream('a-1', added())
  const status = async () => client.getProjectionStatus(name)
  await expect.poll(status).toMatchObject({
    status: 'Faulted',
    stateReason: 'Its checkpoint cannot be written: stream deleted.',
  })
  await client.disableProjection(name)
  expect(await status()).toMatchObject({ status: 'Stopped' })
})

test('invalid settings of a projection do not prevent the start of the node', async () => {
  const own = openStore(undefined)
  const settings = ownEvent('$ProjectionUpdated', { enabled: true, query: 'nonsense', epoch: -1, version: 3 })
  await new Promise<Outcome>((resolve) => own.write(ownAppend('$projections-$by_category', [settings]), resolve))
  const projections = openProjections(own)
  await projections.start('stopped')
  const projection = projections.find(name)
  expect(projection?.state()).toMatchObject({ status: 'Faulted', reason: expect.stringContaining('category') })
  await projection?.configure('first\n-')
  expect(projection?.state()).toMatchObject({ status: 'Running', version: 4 })
  await projections.close()
  own.close()
})

// Fills the whole queue at the moment of a projection's write, which real traffic cannot do reliably.
test('a projection retries when the node is too busy', async () => {
  const own = openStore(undefined)
  const projections = openProjections(own)
  const projection = projections.find(name)
  await projection?.enable()
  const busy = Array.from({ length: 20_000 }, () => ownAppend('lone', [ownEvent('Added', {})]))
  own.write(ownAppend('a-1', [ownEvent('Added', {})]), () => own.writeTogether(busy, () => {}))
  const state = () => projection?.state()
  await expect.poll(state, { interval: 10 }).toMatchObject({ reason: 'Server Is Too Busy' })
  await expect.poll(() => state()?.position === own.head()).toBe(true)
  expect(state()).toMatchObject({ status: 'Running', reason: '' })
  // The last events lead to no links, but a restart must not read all of them again.
  expect(own.head() - (state()?.checkpoint ?? 0)).toBeLessThan(busy.length / 2 + 200)
  const { stream } = own.names.head('$ce-a')
  expect(own.pages.stream(stream ?? -1, 0, 'forwards', 10)).toHaveLength(1)
  await projections.close()
  own.close()
})

test('links continue after other writes to a link stream', async () => {
  await client.enableProjection(name)
  await client.appendToStream('$ce-a', jsonEvent({ type: 'Foreign', data: {} }))
  await client.appendToStream('a-1', many(2))
  await caughtUp(client)
  await client.deleteStream('$ce-a')
  await client.appendToStream('a-1', added())
  await caughtUp(client)
  expect(await targetsOf(client, '$ce-a')).toEqual(['2@a-1'])
  const [first] = await collect(client.readStream('$ce-a'))
  expect(first?.event?.revision).toBe(3n)
})

// EventStoreDB's projection fails here.
test('a tombstoned link stream gets no more links, and all others do', async () => {
  const [gone, other] = ['gone', 'other']
  await client.enableProjection(name)
  await client.appendToStream(`${gone}-1`, many(1))
  await caughtUp(client)
  await client.tombstoneStream(`$ce-${gone}`)
  await client.appendToStream(`${gone}-1`, many(1))
  await client.appendToStream(`${other}-1`, many(1))
  await caughtUp(client)
  expect(await targetsOf(client, `$ce-${other}`)).toEqual([`0@${other}-1`])
  expect((await client.getProjectionStatus(name)).status).toBe('Running')
})

// EventStoreDB's projection fails here.
test('events whose correlation ID is not text are not linked', async () => {
  await client.enableProjection('$by_correlation_id')
  const ids = [{ no: 'text' }, ['x'], true, null, 'x'.repeat(3_000), 'text', '\ud800']
  const events = ids.map((id) => jsonEvent({ type: 'A', data: {}, metadata: { $correlationId: id } }))
  await client.appendToStream('a-1', events)
  await caughtUp(client)
  const streams = (await collect(client.readAll())).flatMap(({ event }) => event?.streamId ?? [])
  expect(streams.filter((stream) => stream.startsWith('$bc-'))).toEqual(['$bc-text', '$bc-\ufffd'])
})
