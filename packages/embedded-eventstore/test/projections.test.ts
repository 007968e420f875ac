// The links of the system projections, live and for earlier events, and how their streams are read.
import { randomUUID } from 'node:crypto'
import { binaryEvent, type EventStoreDBClient, jsonEvent, START } from '@eventstore/db-client'
import { beforeAll, expect, test } from 'vitest'
import { collect, many, useStore } from './helpers.ts'
import { caughtUp, linksOf, projectionNames, targetsOf, textOf } from './projections-helpers.ts'

const used = useStore()
let client: EventStoreDBClient

beforeAll(async () => {
  client = used.client
  for (const name of projectionNames) await client.enableProjection(name)
})

const event = (type: string, metadata: Record<string, unknown> = {}) =>
  jsonEvent({ id: randomUUID(), type, data: {}, metadata })
const link = (data: string) => binaryEvent({ type: '$>', data: Buffer.from(data) })
const newCategory = (): string => randomUUID().replaceAll('-', '')

test('the category projection links every event of its streams, in the order of $all', async () => {
  const category = newCategory()
  await client.appendToStream(`${category}-a`, many(2))
  await client.appendToStream(`${category}-b`, many(1))
  await client.appendToStream(`${category}-a`, many(1))
  await caughtUp(client)
  expect(await targetsOf(client, `$ce-${category}`)).toEqual([
    `0@${category}-a`,
    `1@${category}-a`,
    `0@${category}-b`,
    `2@${category}-a`,
  ])
})

test('a link has its origin in its metadata', async () => {
  const category = newCategory()
  const cause = event('Added', { $correlationId: 'because' })
  const { position } = await client.appendToStream(`${category}-a`, cause)
  await caughtUp(client)
  const [read] = await collect(client.readStream(`$ce-${category}`, { resolveLinkTos: true }))
  expect(read?.event?.id).toBe(cause.id)
  expect(read?.link).toMatchObject({
    type: '$>',
    revision: 0n,
    metadata: { $o: `${category}-a`, $causedBy: cause.id, $c: Number(position?.commit), $p: Number(position?.prepare) },
  })
  expect(read?.link?.metadata).toMatchObject({ $v: expect.stringMatching(/^\d+:-?\d+:\d+:4$/) })
  expect(await client.getStreamMetadata(`$ce-${category}`)).toMatchObject({
    metadata: { acl: { readRoles: '$all', metaReadRoles: '$all' } },
  })
})

test('the event type projection links by type and writes its checkpoint copy', async () => {
  const type = `Type ${randomUUID()}`
  const stream = newCategory()
  await client.appendToStream(stream, [event(type), event('Other'), event(type)])
  await caughtUp(client)
  expect(await targetsOf(client, `$et-${type}`)).toEqual([`0@${stream}`, `2@${stream}`])
  const [last] = await collect(client.readStream('$et', { direction: 'backwards', fromRevision: 'end', maxCount: 1 }))
  const [link] = await collect(client.readStream(`$et-${type}`, { fromRevision: 1n }))
  expect(last?.event).toMatchObject({ type: '$Checkpoint', data: { $c: expect.any(Number) } })
  // Other events of the last page follow the last link.
  const linked = (link?.event?.metadata as { $c: number } | undefined)?.$c ?? Number.POSITIVE_INFINITY
  expect((last?.event?.data as { $c: number } | undefined)?.$c).toBeGreaterThanOrEqual(linked)
})

test('the correlation ID projection links events of all streams, for strings and numbers', async () => {
  const id = randomUUID()
  const [first, second] = [newCategory(), `${newCategory()}-x`]
  await client.appendToStream(first, [
    event('A', { $correlationId: id }),
    event('B'),
    event('C', { $correlationId: 7 }),
  ])
  await client.appendToStream(second, [
    event('D', { $correlationId: id }),
    event('F', { $correlationId: null }),
    binaryEvent({ type: 'G', data: Buffer.from('x'), metadata: Buffer.from('{not json') }),
  ])
  await caughtUp(client)
  expect(await targetsOf(client, `$bc-${id}`)).toEqual([`0@${first}`, `0@${second}`])
  expect(await targetsOf(client, '$bc-7')).toEqual([`2@${first}`])
  const [read] = await collect(client.readStream(`$bc-${id}`))
  expect(read?.event?.metadata).toMatchObject({ $eventTimestamp: expect.stringMatching(/T\d\d:\d\d:\d\d\.\d{6}Z$/) })
})

test('the projections of streams link only first events', async () => {
  const category = newCategory()
  await client.appendToStream(`${category}-b`, many(2))
  await client.appendToStream(`${category}-a`, many(2))
  await client.appendToStream(category, many(2))
  await caughtUp(client)
  const read = await collect(client.readStream(`$category-${category}`))
  expect(read.map(({ event }) => [event?.type, textOf(event)])).toEqual([
    ['$@', `${category}-b`],
    ['$@', `${category}-a`],
  ])
  const all = (await linksOf(client, '$streams')).filter((each) => each.includes(category))
  expect(all).toEqual([`0@${category}-b`, `0@${category}-a`, `0@${category}`])
})

test.each([
  ['a name without a dash', (id: string) => id, undefined],
  ['a name that begins with a dash', (id: string) => `-${id}`, undefined],
  ['nothing after the dash', (id: string) => `${id}-`, (id: string) => id],
  ['two dashes', (id: string) => `${id}--x`, (id: string) => id],
  ['other scripts', (id: string) => `猫 🐈${id}-ß`, (id: string) => `猫 🐈${id}`],
  ['an @ and a line', (id: string) => `at@${id}\n2@x-1`, (id: string) => `at@${id}\n2@x`],
] as const)('unusual stream names have a category: %s', async (_, nameOf, categoryOf) => {
  const id = newCategory()
  const name = nameOf(id)
  await client.appendToStream(name, many(2))
  await caughtUp(client)
  expect(await linksOf(client, '$streams')).toContain(`0@${name}`)
  const links = targetsOf(client, `$ce-${categoryOf?.(id) ?? id}`)
  if (categoryOf) expect(await links).toEqual([`0@${name}`, `1@${name}`])
  else await expect(links).rejects.toMatchObject({ type: 'stream-not-found' })
  await expect(linksOf(client, '$ce-')).rejects.toMatchObject({ type: 'stream-not-found' })
})

test('a single dash is a valid stream name', async () => {
  await client.appendToStream('-', many(2))
  await caughtUp(client)
  expect(await linksOf(client, '$streams')).toContain('0@-')
})

test('system events are not linked, so that projections come to rest', async () => {
  const category = newCategory()
  await client.appendToStream(`$${category}-1`, event(`T${category}`, { $correlationId: category }))
  await client.appendToStream(`${category}-1`, many(3))
  await caughtUp(client)
  for (const stream of [`$ce-$${category}`, `$et-T${category}`, `$bc-${category}`])
    await expect(linksOf(client, stream)).rejects.toMatchObject({ type: 'stream-not-found' })
  expect((await linksOf(client, '$streams')).filter((each) => each.includes('$ce-'))).toEqual([])
  for (const type of ['$>', '$ProjectionCheckpoint', '$Checkpoint'])
    await expect(linksOf(client, `$et-${type}`)).rejects.toMatchObject({ type: 'stream-not-found' })
})

test('users’ links are linked by category with their target, and not in other projections', async () => {
  const [category, other] = [newCategory(), newCategory()]
  await client.appendToStream(`${category}-1`, event('Linked'))
  await client.appendToStream(`${other}-1`, link(`0@${category}-1`))
  await caughtUp(client)
  expect(await targetsOf(client, `$ce-${other}`)).toEqual([`0@${category}-1`])
  expect(await linksOf(client, '$streams')).toContain(`0@${other}-1`)
})

test('links to a deleted stream resolve to no event, and its category has the deletion', async () => {
  const category = newCategory()
  const [kept, deleted, tombstoned, truncated] = ['k', 'd', 't', 'm'].map((each) => `${category}-${each}`) as [
    string,
    string,
    string,
    string,
  ]
  for (const stream of [kept, deleted, tombstoned, truncated]) await client.appendToStream(stream, many(2))
  await client.setStreamMetadata(truncated, { truncateBefore: 1 })
  await client.deleteStream(deleted)
  await client.tombstoneStream(tombstoned)
  await caughtUp(client)
  expect(await targetsOf(client, `$ce-${category}`)).toEqual([
    `0@${kept}`,
    `1@${kept}`,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    `1@${truncated}`,
    `0@$$${deleted}`,
    undefined,
  ])
  const links = await collect(client.readStream(`$ce-${category}`, { fromRevision: 8n }))
  expect(links.map(({ event }) => [textOf(event), event?.metadata])).toMatchObject([
    [`0@$$${deleted}`, { $deleted: -1, $o: deleted }],
    [`9223372036854775807@${tombstoned}`, { $deleted: -1, $o: tombstoned }],
  ])
  expect(await linksOf(client, '$et-$deleted')).toEqual(
    expect.arrayContaining([`0@${deleted}`, `9223372036854775807@${tombstoned}`]),
  )
})

test('a category can be subscribed to like any stream, from past to live events', async () => {
  const category = newCategory()
  await client.appendToStream(`${category}-1`, many(2))
  await caughtUp(client)
  const subscription = client.subscribeToStream(`$ce-${category}`, { fromRevision: START, resolveLinkTos: true })
  const seen: string[] = []
  const all = Promise.withResolvers<void>()
  subscription.on('data', ({ event }) => {
    seen.push(`${event?.revision}@${event?.streamId}`)
    if (seen.length === 2) client.appendToStream(`${category}-2`, many(2)).catch(all.reject)
    if (seen.length === 4) all.resolve()
  })
  await all.promise
  expect(seen).toEqual([`0@${category}-1`, `1@${category}-1`, `0@${category}-2`, `1@${category}-2`])
  await subscription.unsubscribe()
})

test('a projection catches up with earlier events over many pages', async () => {
  await client.disableProjection('$by_category')
  const category = newCategory()
  const streams = Array.from({ length: 5 }, (_, number) => `${category}-${number}`)
  for (const stream of streams) await client.appendToStream(stream, many(100))
  await expect(linksOf(client, `$ce-${category}`)).rejects.toMatchObject({ type: 'stream-not-found' })
  await client.enableProjection('$by_category')
  await caughtUp(client)
  expect(await targetsOf(client, `$ce-${category}`)).toEqual(
    streams.flatMap((stream) => Array.from({ length: 100 }, (_, revision) => `${revision}@${stream}`)),
  )
})
