// The Projections service, used by the published client: list, enable, disable, reset, configure.
import { EventStoreDBClient } from '@eventstore/db-client'
import projectionsPb from '@eventstore/db-client/generated/projections_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { Client, credentials, status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedEventStore, start } from '../src/start.ts'
import { collect, freshEvents, many } from './helpers.ts'
import { caughtUp, linksOf, projectionNames, targetsOf } from './projections-helpers.ts'

const name = '$by_category'
const { StatisticsReq, StatisticsResp } = projectionsPb

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

const positionOf = async () => {
  const [last] = await collect(client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 1 }))
  return last?.event?.position.commit
}

const updates = projectionNames.map((each) => [`$projections-${each}`, '$ProjectionUpdated'])
const fresh = {
  off: [['$$$scavenges', '$metadata']],
  stopped: [
    ['$projections-$all', '$ProjectionsInitialized'],
    ...projectionNames.map(() => ['$projections-$all', '$ProjectionCreated']),
    ...updates,
  ],
  running: [...updates, ['$$$et', '$metadata'], ['$et', '$Checkpoint']],
}
const modes = [
  ['off', [...fresh.off]],
  ['stopped', [...fresh.off, ...fresh.stopped]],
  ['running', [...fresh.off, ...fresh.stopped, ...fresh.running]],
] as const

test.each(modes)('a fresh database has the same events as in EventStoreDB: %s', async (systemProjections, events) => {
  const own = await start({ memory: true, systemProjections })
  const reader = EventStoreDBClient.connectionString(own.connectionString)
  const all = (await collect(reader.readAll())).flatMap(({ event }) => event ?? [])
  await reader.dispose()
  await own.stop()
  expect(all.map(({ streamId, type }) => [streamId, type])).toEqual(events)
  expect(all[0]?.data).toEqual({ $maxAge: 2_592_000, $acl: { $r: '$ops', $w: [], $d: [], $mr: [], $mw: [] } })
  const created = all.filter(({ type }) => type === '$ProjectionCreated')
  expect(created.map(({ data }) => Buffer.from(data as Uint8Array).toString())).toEqual(
    created.length > 0 ? projectionNames : [],
  )
  if (systemProjections === 'running') expect(all.at(-1)?.data).toEqual({ $c: 0, $p: -1 })
})

test('five system projections exist and are stopped', async () => {
  const listed = await client.listProjections()
  expect(listed.map((projection) => projection.name)).toEqual(projectionNames)
  for (const projection of listed)
    expect(projection).toMatchObject({
      effectiveName: projection.name,
      status: 'Stopped',
      version: 0n,
      epoch: -1n,
      position: 'C:0/P:-1',
      lastCheckpoint: 'C:0/P:-1',
    })
})

test('status and statistics follow a projection at work', async () => {
  await client.appendToStream('a-1', many(3))
  expect(await client.getProjectionStatus(name)).toMatchObject({ status: 'Stopped', progress: 0 })
  await client.enableProjection(name)
  await caughtUp(client)
  const head = await positionOf()
  expect(await client.getProjectionStatus(name)).toMatchObject({
    name,
    status: 'Running',
    projectionStatus: 'Running',
    stateReason: '',
    version: 1n,
    position: `C:${head}/P:${head}`,
    // The last event of the page with the last link: `$ProjectionUpdated` follows the three.
    lastCheckpoint: `C:${freshEvents + 4}/P:${freshEvents + 4}`,
    eventsProcessedAfterRestart: head,
    progress: 100,
    writesInProgress: 0,
    bufferedEvents: 0n,
    checkpointStatus: '',
  })
})

test('enabling a running projection changes nothing', async () => {
  await client.enableProjection(name)
  const before = await positionOf()
  await client.enableProjection(name)
  expect(await positionOf()).toBe(before)
  expect(await client.getProjectionStatus(name)).toMatchObject({ status: 'Running', version: 1n })
})

test('a disabled projection writes no links, and resumes from its checkpoint when it is enabled', async () => {
  await client.enableProjection(name)
  await client.appendToStream('a-1', many(2))
  await caughtUp(client)
  await client.disableProjection(name)
  const { status, position, lastCheckpoint } = await client.getProjectionStatus(name)
  expect({ status, lastCheckpoint }).toEqual({ status: 'Stopped', lastCheckpoint: position })
  await client.appendToStream('a-1', many(2))
  expect(await targetsOf(client, '$ce-a')).toHaveLength(2)
  await client.enableProjection(name)
  await caughtUp(client)
  expect(await targetsOf(client, '$ce-a')).toEqual(['0@a-1', '1@a-1', '2@a-1', '3@a-1'])
})

test('an aborted projection reports that state, and loses and doubles no link', async () => {
  await client.enableProjection(name)
  await client.appendToStream('a-1', many(200))
  await client.abortProjection(name)
  expect(await client.getProjectionStatus(name)).toMatchObject({
    status: 'Aborted/Stopped',
    projectionStatus: 'Aborted',
    processingStatus: 'Stopped',
  })
  await client.enableProjection(name)
  await caughtUp(client)
  expect(await linksOf(client, '$ce-a')).toEqual(Array.from({ length: 200 }, (_, revision) => `${revision}@a-1`))
})

test('a reset projection links all events again and hides its earlier links', async () => {
  for (const each of projectionNames) await client.enableProjection(each)
  await client.appendToStream('a-1', many(3))
  await client.appendToStream('a-2', many(1))
  await caughtUp(client)
  for (const each of projectionNames) await client.resetProjection(each)
  await caughtUp(client)
  const read = await collect(client.readStream('$ce-a', { resolveLinkTos: true }))
  expect(read.map(({ event }) => `${event?.revision}@${event?.streamId}`)).toEqual(['0@a-1', '1@a-1', '2@a-1', '0@a-2'])
  expect(read.map(({ link }) => link?.revision)).toEqual([4n, 5n, 6n, 7n])
  expect(await client.getStreamMetadata('$ce-a')).toMatchObject({ metadata: { truncateBefore: 4 } })
  expect(await linksOf(client, '$et-Added')).toHaveLength(4)
  expect(await linksOf(client, '$streams')).toEqual(['0@a-1', '0@a-2'])
  expect(await client.getProjectionStatus(name)).toMatchObject({ status: 'Running', epoch: 2n, version: 2n })
  await client.appendToStream('a-3', many(1))
  await caughtUp(client)
  expect(await linksOf(client, '$ce-a')).toHaveLength(5)
})

test('a projection reset while stopped restarts when it is enabled', async () => {
  await client.enableProjection(name)
  await client.appendToStream('a-1', many(2))
  await caughtUp(client)
  await client.disableProjection(name)
  await client.resetProjection(name)
  expect(await client.getProjectionStatus(name)).toMatchObject({ status: 'Stopped', position: 'C:0/P:-1' })
  expect(await linksOf(client, '$ce-a')).toHaveLength(2)
  await client.enableProjection(name)
  await caughtUp(client)
  expect(await linksOf(client, '$ce-a')).toEqual(['0@a-1', '1@a-1'])
})

test('the query determines where a category ends', async () => {
  await client.updateProjection(name, 'last\n.')
  await client.enableProjection(name)
  await client.appendToStream('a.b.c-1', many(1))
  await caughtUp(client)
  expect(await linksOf(client, '$ce-a.b')).toEqual(['0@a.b.c-1'])
  await client.updateProjection('$by_correlation_id', '{"correlationIdProperty":"number"}')
  for (const [each, query] of [
    [name, 'fromAll().when({})'],
    ['$streams', 'first\n-'],
    ['$by_correlation_id', '{}'],
  ] as const)
    await expect(client.updateProjection(each, query)).rejects.toThrow('query')
  expect(await client.getProjectionStatus(name)).toMatchObject({ status: 'Running' })
})

test('system projections have neither state nor result', async () => {
  expect(await client.getProjectionState(name)).toEqual({})
  expect(await client.getProjectionResult(name)).toEqual({})
})

test('enabled projections run after a restart of the subsystem', async () => {
  await client.enableProjection(name)
  await client.appendToStream('a-1', many(2))
  await caughtUp(client)
  await client.restartSubsystem()
  await client.appendToStream('a-1', many(1))
  await caughtUp(client)
  expect(await linksOf(client, '$ce-a')).toHaveLength(3)
  const running = (await client.listProjections()).filter((projection) => projection.status === 'Running')
  expect(running.map((projection) => projection.name)).toEqual([name])
})

test('concurrent requests are handled one at a time', async () => {
  await client.appendToStream('a-1', many(300))
  await Promise.all(
    Array.from({ length: 12 }, (_, number) => {
      if (number % 3 === 0) return client.enableProjection(name)
      return number % 3 === 1 ? client.disableProjection(name) : client.resetProjection(name)
    }),
  )
  await client.enableProjection(name)
  await caughtUp(client)
  expect(await linksOf(client, '$ce-a')).toEqual(Array.from({ length: 300 }, (_, revision) => `${revision}@a-1`))
})

describe('the service refuses', () => {
  test.each([
    ['enableProjection'],
    ['disableProjection'],
    ['abortProjection'],
    ['resetProjection'],
    ['deleteProjection'],
    ['getProjectionStatus'],
    ['getProjectionState'],
    ['getProjectionResult'],
  ] as const)('%s of a missing projection', async (act) => {
    await expect(client[act]('none')).rejects.toMatchObject({ type: 'not-found' })
    await expect(client[act]('none')).rejects.toThrow("Projection 'none' not found")
  })

  test('to update a missing projection', async () => {
    await expect(client.updateProjection('none', '')).rejects.toMatchObject({ type: 'not-found' })
  })

  test('to create a projection, with a clear message', async () => {
    for (const options of [{}, { emitEnabled: true, trackEmittedStreams: true }])
      await expect(client.createProjection('own', 'fromAll()', options)).rejects.toThrow(
        'Projections of your own are not served yet',
      )
  })

  test('to delete a system projection', async () => {
    await expect(client.deleteProjection(name)).rejects.toThrow('System projections cannot be deleted')
  })
})

// Client 6.2.1 requests only continuous ones.
test.each([
  ['all', (options: projectionsPb.StatisticsReq.Options) => options.setAll(new shared.Empty()), 5],
  ['continuous', (options: projectionsPb.StatisticsReq.Options) => options.setContinuous(new shared.Empty()), 5],
  ['transient', (options: projectionsPb.StatisticsReq.Options) => options.setTransient(new shared.Empty()), 0],
  ['one-time', (options: projectionsPb.StatisticsReq.Options) => options.setOneTime(new shared.Empty()), 0],
  ['named', (options: projectionsPb.StatisticsReq.Options) => options.setName(name), 1],
] as const)('statistics of %s projections', async (_, choose, count) => {
  const options = new StatisticsReq.Options()
  choose(options)
  const request = new StatisticsReq()
  request.setOptions(options)
  const raw = new Client(`127.0.0.1:${store.port}`, credentials.createInsecure())
  const call = raw.makeServerStreamRequest(
    '/event_store.client.projections.Projections/Statistics',
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => StatisticsResp.deserializeBinary(bytes),
    Buffer.from(request.serializeBinary()),
  )
  const details = (await collect(call as AsyncIterable<projectionsPb.StatisticsResp>)).map((each) => each.getDetails())
  expect(details).toHaveLength(count)
  for (const each of details) expect(each?.getMode()).toBe('Continuous')
  raw.close()
})

test('with projections off the service does not exist', async () => {
  const without = await start({ memory: true, systemProjections: 'off' })
  const asking = EventStoreDBClient.connectionString(without.connectionString)
  await expect(asking.listProjections()).rejects.toMatchObject({ code: status.UNIMPLEMENTED })
  await asking.dispose()
  await without.stop()
})

test('in the mode "running" all projections are enabled at the start', async () => {
  const running = await start({ memory: true, systemProjections: 'running' })
  const asking = EventStoreDBClient.connectionString(running.connectionString)
  await asking.appendToStream('a-1', many(1))
  await caughtUp(asking)
  expect((await asking.listProjections()).map((each) => each.status)).toEqual(projectionNames.map(() => 'Running'))
  expect(await linksOf(asking, '$ce-a')).toEqual(['0@a-1'])
  await asking.dispose()
  await running.stop()
})
