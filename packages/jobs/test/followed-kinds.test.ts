// Reactions across releases: a new kind misses nothing while an older release leads, and what was parked is made up for.
import { randomUUID } from 'node:crypto'
import { context } from '@headwater/deciders/context'
import type { RequestedJob } from '@headwater/deciders/reaction'
import { type EmbeddedEventStore, start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { startProjection } from '@headwater/projections/run/projection'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { logger, until } from '@headwater/test-kit/toys/tills'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../src/database.ts'
import { reactionsOf } from '../src/reactions.ts'
import { jobsOf, openConsequencesSink } from '../src/sink.ts'

let node: EmbeddedEventStore
let store: EventStore

beforeAll(async () => {
  node = await startEventStore({ port: 0, memory: true })
  store = connectEventStore({ url: node.connectionString, logger })
})
afterAll(async () => {
  await store.close()
  await node.stop()
})

const openToys = async () => {
  const database: TestDatabase = await testDatabase()
  const category = `toy${randomUUID().slice(0, 8)}`
  onTestFinished(database.remove)
  return {
    /** @param kinds of jobs that follow from each event; @param types the event types that the release knows */
    start: (kinds: readonly string[], types: readonly string[] = ['Happened']) => {
      const { pool, prepare } = openDatabase(database.url, logger)
      const schemas = Object.fromEntries(types.map((type) => [type, true]))
      const stream = { category, events: { schemas, upcasts: {} } }
      const react = ({ type }: { readonly type: string }): readonly RequestedJob[] =>
        kinds.map((kind) => ({ kind, ...{ type } }))
      const reaction = { stream, react, reactToDeletion: () => [] }
      const projection = reactionsOf([context({ name: 'toy', streams: [stream], reactions: [reaction] })])
      const consequences = jobsOf(projection, kinds)
      const sink = openConsequencesSink({ ...consequences, pool, prepare, store, logger })
      const following = startProjection({ store, sink, projection, logger })
      let stopped: Promise<void> | undefined
      const stop = () => {
        stopped ??= following.stop().then(() => pool.end())
        return stopped
      }
      onTestFinished(stop)
      return { following, stop }
    },
    happen: async (id: string, type = 'Happened') => {
      const event = { id: randomUUID(), type, data: {}, metadata: { schema: 1 } }
      await store.append(`${category}-${id}`, [event], 'any')
    },
    jobs: async () => {
      const text = `select kind || ' ' || split_part(stream, '-', 2) || ' ' || (subject->>'type') as job from headwater.jobs`
      return (await database.client.query(text)).rows.map(({ job }) => job).sort()
    },
    registered: async () => {
      const { rows } = await database.client.query('select kind from headwater.followed_kinds')
      return rows.map(({ kind }) => kind)
    },
    parked: async () => (await database.client.query('select from headwater.parked_events')).rowCount,
    database,
  }
}

test('a release that knows a parked event enters its jobs and those of the events behind it, but none of a kind that is newer than the events', async () => {
  const toys = await openToys()
  const old = toys.start(['tell'])
  await old.following.whenLive()
  await toys.happen('a', 'Frozen')
  await toys.happen('a')
  await toys.happen('b')
  await until('the others have their jobs', async () => (await toys.jobs()).length === 1)
  expect(await toys.parked()).toBe(1)
  await old.stop()
  const next = toys.start(['tell', 'mail'], ['Happened', 'Frozen'])
  await next.following.whenLive()
  await until('nothing is parked', async () => (await toys.parked()) === 0)
  expect(await toys.jobs()).toEqual(['tell a Frozen', 'tell a Happened', 'tell b Happened'])
})

test('a new kind of a known stream misses no event while an older release leads, and follows from none before its start', async () => {
  const toys = await openToys()
  const old = toys.start(['tell'])
  await old.following.whenLive()
  await toys.happen('before')
  await until('it is done', async () => (await toys.jobs()).length === 1)
  const next = toys.start(['tell', 'mail'])
  await until('the new release has started', async () => (await toys.registered()).includes('mail'))
  await toys.happen('meanwhile')
  await until('the older release has passed it', async () => (await toys.jobs()).length === 2)
  await old.stop()
  await next.following.whenLive()
  await toys.happen('after')
  await until('all are done', async () => (await toys.jobs()).length === 5)
  expect(await toys.jobs()).toEqual([
    'mail after Happened',
    'mail meanwhile Happened',
    'tell after Happened',
    'tell before Happened',
    'tell meanwhile Happened',
  ])
})

test('a release that goes over events again, of which one cannot be read, parks it and enters no job twice', async () => {
  const toys = await openToys()
  const old = toys.start(['tell'])
  await old.following.whenLive()
  await toys.happen('a', 'Frozen')
  await toys.happen('b')
  await until('it is done', async () => (await toys.jobs()).length === 1)
  await old.stop()
  // As after a release that knows nothing of kinds.
  await toys.database.client.query('update headwater.followed_kinds set commit_position = 0, prepare_position = 0')
  const next = toys.start(['tell'])
  await next.following.whenLive()
  await toys.happen('c')
  await until('it follows on', async () => (await toys.jobs()).length === 2)
  expect(await toys.parked()).toBe(1)
})
