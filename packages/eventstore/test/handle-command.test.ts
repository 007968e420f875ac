// Dispatching commands: accepted, refused, repeated and conflicting, warm and cold, alone and concurrently.
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient } from '@eventstore/db-client'
import { Rejection } from '@headwater/deciders/decider'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectEventStore, type EventStore, noSuchStream, StoreUnavailable } from '../src/client/client.ts'
import { type CommandHandler, createCommandHandler } from '../src/commands/handle-command.ts'
import { comparePosition } from '../src/position.ts'
import { logger, runPrefix, testStore } from './support.ts'
import { type Till, type TillCommand, tillStream } from './till.ts'

const category = `${runPrefix}till`
let store: EventStore
/** Changes streams from outside. */
let client: EventStoreDBClient
let close: () => Promise<void>

beforeAll(async () => {
  const { url, stop } = await testStore()
  store = connectEventStore({ url, logger })
  client = EventStoreDBClient.connectionString(url)
  close = async () => {
    await store.close()
    await client.dispose()
    await stop()
  }
})
afterAll(() => close())

/** A replica of the service with its own cache. */
const replica = (over: EventStore = store): CommandHandler<TillCommand, Till> =>
  createCommandHandler({ store: over, stream: tillStream(category), logger })

const request = (id: string, command: TillCommand, commandId: string = randomUUID()) => ({
  id,
  command,
  commandId,
  requestHash: JSON.stringify(command),
  actor: 'tester',
})
const eventsOf = (id: string) => store.readStream(`${category}-${id}`, 0n, 1_000)
const code = (error: unknown) => (error instanceof Rejection ? error.code : error)
const refusal = (answer: Promise<unknown>) =>
  answer.then(
    () => 'accepted',
    (error) => code(error),
  )

describe('accepted', () => {
  test('the first command creates its stream and reports that', async () => {
    const id = randomUUID()
    const answer = await replica().handle(request(id, { type: 'PutIn', amount: 5 }))
    expect(answer).toMatchObject({ id, revision: 0n, created: true })
    const [event] = await eventsOf(id)
    expect(event?.position).toEqual(answer.position)
    expect(event?.data).toEqual({ amount: 5 })
  })

  test('the next command appends to it, on a warm and on a cold replica', async () => {
    const id = randomUUID()
    const warm = replica()
    await warm.handle(request(id, { type: 'PutIn', amount: 5 }))
    expect(await warm.handle(request(id, { type: 'TakeOut', amount: 2 }))).toMatchObject({
      revision: 1n,
      created: false,
    })
    expect(await replica().handle(request(id, { type: 'TakeOut', amount: 3 }))).toMatchObject({ revision: 2n })
  })

  test('metadata holds the command, its actor and its cause', async () => {
    const id = randomUUID()
    const sent = { ...request(id, { type: 'PutIn', amount: 1 }), correlationId: 'c', traceparent: '00-a-b-01' }
    await replica().handle(sent)
    const [event] = await eventsOf(id)
    expect(event?.metadata).toEqual({
      $correlationId: 'c',
      $causationId: sent.commandId,
      commandId: sent.commandId,
      requestHash: sent.requestHash,
      actor: 'tester',
      traceparent: '00-a-b-01',
      schema: 1,
    })
  })

  test('a command with nothing to do returns the current revision and the head of the store', async () => {
    const id = randomUUID()
    const handler = replica()
    await handler.handle(request(id, { type: 'Close' }))
    const again = await handler.handle(request(id, { type: 'Close' }))
    expect(again).toMatchObject({ revision: 0n, created: false })
    expect(comparePosition(again.position, await store.head())).toBeLessThanOrEqual(0)
    expect(await eventsOf(id)).toHaveLength(1)
  })
})

describe('refused', () => {
  test('a command that a rule refuses writes no event', async () => {
    const id = randomUUID()
    expect(await refusal(replica().handle(request(id, { type: 'TakeOut', amount: 1 })))).toBe('not_enough')
    expect(await eventsOf(id)).toHaveLength(0)
  })

  test('a stale replica reads newer events before it refuses', async () => {
    const id = randomUUID()
    const [stale, other] = [replica(), replica()]
    await stale.handle(request(id, { type: 'PutIn', amount: 1 }))
    await other.handle(request(id, { type: 'PutIn', amount: 10 }))
    expect(await stale.handle(request(id, { type: 'TakeOut', amount: 11 }))).toMatchObject({ revision: 2n })
  })

  test('a stale replica reads newer events before it answers "nothing to do"', async () => {
    const id = randomUUID()
    const [stale, other] = [replica(), replica()]
    await stale.handle(request(id, { type: 'PutIn', amount: 1 }))
    await other.handle(request(id, { type: 'Close' }))
    expect(await stale.handle(request(id, { type: 'Close' }))).toMatchObject({ revision: 1n })
    expect(await eventsOf(id)).toHaveLength(2)
  })

  test('a refused commandId is decided again when it is repeated', async () => {
    const id = randomUUID()
    const handler = replica()
    const takeOut = request(id, { type: 'TakeOut', amount: 1 })
    expect(await refusal(handler.handle(takeOut))).toBe('not_enough')
    await handler.handle(request(id, { type: 'PutIn', amount: 1 }))
    expect(await handler.handle(takeOut)).toMatchObject({ revision: 1n })
  })

  test('an outdated expected revision is refused and a current one is accepted, also with a stale cache', async () => {
    const id = randomUUID()
    const [stale, other] = [replica(), replica()]
    await stale.handle(request(id, { type: 'PutIn', amount: 1 }))
    await other.handle(request(id, { type: 'PutIn', amount: 1 }))
    const seen = (expectedRevision: bigint) => ({ ...request(id, { type: 'PutIn', amount: 1 }), expectedRevision })
    expect(await refusal(stale.handle(seen(0n)))).toBe('revision_mismatch')
    expect(await stale.handle(seen(1n))).toMatchObject({ revision: 2n })
  })

  test('a guard runs before every answer that would reveal the stream, on stored rather than cached state', async () => {
    const id = randomUUID()
    const [warm, other] = [replica(), replica()]
    const notYours = new Rejection('not_found', 'There is no such till.')
    const guard = ({ amount }: Till) => {
      if (amount < 10) throw notYours
    }
    const first = { ...request(id, { type: 'PutIn', amount: 1 }) }
    await warm.handle(first)
    for (const handler of [warm, replica()]) {
      const seen = { ...request(id, { type: 'PutIn', amount: 1 }), expectedRevision: 7n, guard }
      expect(await refusal(handler.handle(seen))).toBe('not_found')
      expect(await refusal(handler.handle({ ...request(id, { type: 'TakeOut', amount: 9 }), guard }))).toBe('not_found')
      expect(await refusal(handler.handle({ ...first, requestHash: 'another', guard }))).toBe('not_found')
    }
    await other.handle(request(id, { type: 'PutIn', amount: 9 }))
    expect(await warm.handle({ ...request(id, { type: 'TakeOut', amount: 10 }), guard })).toMatchObject({
      revision: 2n,
    })
  })

  test('an event of a newer release stops its stream without being folded, until that release runs', async () => {
    const id = randomUUID()
    const handler = replica()
    await handler.handle(request(id, { type: 'PutIn', amount: 1 }))
    const event = { id: randomUUID(), type: 'MoneyPainted', data: {}, metadata: {} }
    await store.append(`${category}-${id}`, [event], 0n)
    expect(await refusal(handler.handle(request(id, { type: 'PutIn', amount: 1 })))).toBe('unknown_event_type')
    expect(await refusal(handler.handle(request(id, { type: 'PutIn', amount: 1 })))).toBe('unknown_event_type')
    expect(await eventsOf(id)).toHaveLength(2)
  })
})

describe('repeated', () => {
  test('a repeated command is answered from its recorded events, by the same, another and a restarted replica', async () => {
    const id = randomUUID()
    const [first, second] = [replica(), replica()]
    const putIn = request(id, { type: 'PutIn', amount: 1 })
    const answer = await first.handle(putIn)
    await second.handle(request(id, { type: 'PutIn', amount: 7 }))
    expect(answer.appended).toBe(true)
    expect(await first.handle(putIn)).toEqual({ ...answer, appended: false })
    // The store recognizes the same bytes as the same append.
    for (const handler of [second, replica()])
      expect(await handler.handle(putIn)).toMatchObject({ ...answer, appended: expect.anything() })
    expect(await eventsOf(id)).toHaveLength(2)
  })

  test('the same key with a different body is refused, warm and cold', async () => {
    const id = randomUUID()
    const warm = replica()
    const key = randomUUID()
    await warm.handle(request(id, { type: 'PutIn', amount: 1 }, key))
    for (const handler of [warm, replica()])
      expect(await refusal(handler.handle(request(id, { type: 'PutIn', amount: 2 }, key)))).toBe(
        'idempotency_key_reused',
      )
  })

  test('of two concurrent commands with one key and different bodies on two replicas one is recorded, the other refused', async () => {
    const id = randomUUID()
    const key = randomUUID()
    const outcomes = await Promise.all(
      [1, 2].map((amount) => refusal(replica().handle(request(id, { type: 'PutIn', amount }, key)))),
    )
    expect(outcomes.sort()).toEqual(['accepted', 'idempotency_key_reused'])
    expect(await eventsOf(id)).toHaveLength(1)
  })

  test('replicas that decide the same command on different outside facts all return the recorded events', async () => {
    const id = randomUUID()
    const commandId = randomUUID()
    const replicas = Array.from({ length: 8 }, () => replica())
    const answers = await Promise.all(
      replicas.map((handler, amount) =>
        handler.handle({ ...request(id, { type: 'PutIn', amount }, commandId), requestHash: 'the same request' }),
      ),
    )
    expect(new Set(answers.map((answer) => String(answer.revision)))).toEqual(new Set(['0']))
    const [recorded] = await eventsOf(id)
    const { amount } = (recorded?.data ?? {}) as { amount: number }
    // No replica keeps its own facts: each can take out exactly the recorded amount.
    for (const handler of replicas)
      expect(await refusal(handler.handle(request(id, { type: 'TakeOut', amount: amount + 1 })))).toBe('not_enough')
  })

  test('20 concurrent repeats on 3 replicas leave one event and get one answer', async () => {
    const id = randomUUID()
    const replicas = [replica(), replica(), replica()]
    const putIn = request(id, { type: 'PutIn', amount: 1 })
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (replicas[index % 3] as CommandHandler<TillCommand>).handle(putIn)),
    )
    expect(answers.some(({ appended }) => appended)).toBe(true)
    for (const answer of answers) expect({ ...answer, appended: true }).toEqual({ ...answers[0], appended: true })
    expect(await eventsOf(id)).toHaveLength(1)
  })

  test('recorded returns the answer to an earlier command, and undefined for a new one', async () => {
    const id = randomUUID()
    const putIn = request(id, { type: 'PutIn', amount: 1 })
    expect(await replica().recorded(putIn)).toBeUndefined()
    const answer = await replica().handle(putIn)
    expect(await replica().recorded(putIn)).toEqual({ ...answer, appended: false })
    expect(await refusal(replica().recorded({ ...putIn, requestHash: 'other' }))).toBe('idempotency_key_reused')
  })
})

describe('conflicting', () => {
  test('concurrent commands of 8 replicas on one stream are all recorded', async () => {
    const id = randomUUID()
    const replicas = Array.from({ length: 8 }, () => replica())
    const rounds = 10
    await Promise.all(
      replicas.map(async (handler) => {
        for (let round = 0; round < rounds; round++) {
          const retried = async (): Promise<unknown> =>
            handler.handle(request(id, { type: 'PutIn', amount: 1 })).catch((error) => {
              if (code(error) !== 'conflict') throw error
              return retried()
            })
          await retried()
        }
      }),
    )
    const events = await eventsOf(id)
    expect(events.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 8 * rounds }, (_, index) => BigInt(index)),
    )
    expect(await refusal(replica().handle(request(id, { type: 'TakeOut', amount: 8 * rounds + 1 })))).toBe('not_enough')
  })

  test('of 50 concurrent commands for the last coin one succeeds', async () => {
    const id = randomUUID()
    const replicas = [replica(), replica(), replica()]
    await replica().handle(request(id, { type: 'PutIn', amount: 1 }))
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        refusal(
          (replicas[index % 3] as CommandHandler<TillCommand>).handle(request(id, { type: 'TakeOut', amount: 1 })),
        ),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'not_enough')).toHaveLength(49)
  })

  test('a command on a stream that others keep changing is a conflict after a bounded number of attempts', async () => {
    const id = randomUUID()
    const meddling: EventStore = {
      ...store,
      append: async (stream, events, expectedRevision) => {
        const last = (await eventsOf(id)).length
        const other = { id: randomUUID(), type: 'MoneyPutIn', data: { amount: 1 }, metadata: {} }
        await store.append(stream, [other], last === 0 ? 'no_stream' : BigInt(last - 1))
        return store.append(stream, events, expectedRevision)
      },
    }
    expect(await refusal(replica(meddling).handle(request(id, { type: 'PutIn', amount: 1 })))).toBe('conflict')

    // A repeat in the same queue is answered.
    const recorded = request(id, { type: 'PutIn', amount: 1 })
    const answer = await replica().handle(recorded)
    const handler = replica(meddling)
    const together = [
      refusal(handler.handle(request(id, { type: 'PutIn', amount: 1 }))),
      handler.handle(recorded),
      refusal(handler.handle(request(id, { type: 'PutIn', amount: 1 }))),
    ]
    expect(await Promise.all(together)).toEqual(['conflict', { ...answer, appended: false }, 'conflict'])
  })
})

describe('a deleted stream', () => {
  const opened = async () => {
    const id = randomUUID()
    const warm = replica()
    const putIn = request(id, { type: 'PutIn', amount: 5 })
    await warm.handle(putIn)
    return { id, stream: `${category}-${id}`, warm, putIn }
  }

  test('takes no command, warm or cold, before any rule is asked', async () => {
    const { id, stream, warm, putIn } = await opened()
    await store.tombstone(stream)
    for (const handler of [warm, warm, replica()]) {
      expect(await refusal(handler.handle(request(id, { type: 'PutIn', amount: 1 })))).toBe('stream_deleted')
      expect(await refusal(handler.handle(request(id, { type: 'TakeOut', amount: 1 })))).toBe('stream_deleted')
      expect(await refusal(handler.recorded(putIn))).toBe('stream_deleted')
      expect(await refusal(handler.handle(putIn))).toBe('stream_deleted')
    }
  })

  test('looks as if it had never existed to a caller that its guard refuses', async () => {
    const { id, stream, warm } = await opened()
    await store.tombstone(stream)
    const guard = ({ amount }: Till) => {
      if (amount === 0) throw new Rejection('till_not_found', 'There is no such till.')
    }
    const guarded = { ...request(id, { type: 'PutIn', amount: 1 }), guard }
    expect(await refusal(warm.handle(guarded))).toBe('till_not_found')
  })

  test('refuses all queued commands at once', async () => {
    const { id, stream, warm } = await opened()
    await store.tombstone(stream)
    const sent = Array.from({ length: 5 }, () => refusal(warm.handle(request(id, { type: 'PutIn', amount: 1 }))))
    expect(new Set(await Promise.all(sent))).toEqual(new Set(['stream_deleted']))
  })

  test('that was only soft-deleted does not count as new, because decisions would miss the hidden events', async () => {
    const { id, stream, warm } = await opened()
    await client.deleteStream(stream)
    const takeOut = request(id, { type: 'TakeOut', amount: 9 })
    expect(await refusal(warm.handle(takeOut))).toBe('stream_truncated')
    const putIn = request(id, { type: 'PutIn', amount: 1 })
    for (const handler of [replica(), warm, replica()])
      expect(await refusal(handler.handle(putIn))).toBe('stream_truncated')
  })

  test('that was soft-deleted takes no command from a replica that has it cached, though the store would accept the append', async () => {
    const { id, stream, warm } = await opened()
    await client.deleteStream(stream)
    await expect.poll(() => store.mayHideEvents(stream)).toBe(true)
    const again = request(id, { type: 'PutIn', amount: 1 })
    expect(await refusal(warm.handle(again))).toBe('stream_truncated')
    expect(await refusal(warm.recorded(again))).toBe('stream_truncated')
    expect(await store.readStream(stream, 0n, 10)).toBe(noSuchStream)
  })

  test.each([
    ['some', 1],
    ['all', 2],
  ])('whose metadata hides %s events takes no command', async (_which, hidden) => {
    const { id, stream, warm } = await opened()
    await warm.handle(request(id, { type: 'PutIn', amount: 1 }))
    await client.setStreamMetadata(stream, { truncateBefore: hidden })
    expect(await refusal(replica().handle(request(id, { type: 'TakeOut', amount: 1 })))).toBe('stream_truncated')
    expect(await refusal(replica().handle(request(id, { type: 'PutIn', amount: 1 })))).toBe('stream_truncated')
  })
})

test('events with types that begin with $ count as revisions and change no state', async () => {
  const id = randomUUID()
  const handler = replica()
  await handler.handle(request(id, { type: 'PutIn', amount: 1 }))
  await store.append(`${category}-${id}`, [{ id: randomUUID(), type: '$maintenance', data: {}, metadata: {} }], 0n)
  expect(await handler.handle(request(id, { type: 'TakeOut', amount: 1 }))).toMatchObject({ revision: 2n })
})

describe('the cached state of a stream', () => {
  /** A replica with a new stream in its cache, and the revisions from which it reads afterwards. */
  const warmOver = async (disturb: (reply: Awaited<ReturnType<EventStore['append']>>) => typeof reply) => {
    const id = randomUUID()
    const reads: bigint[] = []
    let disturbed = false
    const over: EventStore = {
      ...store,
      append: async (...args) => {
        const reply = await store.append(...args)
        if (disturbed || reply.outcome !== 'appended' || reply.revision === 0n) return reply
        disturbed = true
        return disturb(reply)
      },
      readStream: (stream, from, maxCount) => {
        reads.push(from)
        return store.readStream(stream, from, maxCount)
      },
    }
    const handler = replica(over)
    const putIn = () => handler.handle(request(id, { type: 'PutIn', amount: 1 }))
    await putIn()
    await putIn().catch(() => undefined)
    return { id, putIn, reads }
  }

  test('is kept after a successful first attempt: the next command does not read', async () => {
    const { putIn, reads } = await warmOver((reply) => reply)
    expect(await putIn()).toMatchObject({ revision: 2n })
    expect(reads).toEqual([])
  })

  test.each<[string, Parameters<typeof warmOver>[0]]>([
    ['an append that had to be sent twice', (reply) => ({ ...reply, firstAttempt: false })],
    ['a revision nobody expected', (reply) => ({ ...reply, revision: 7n }) as typeof reply],
    [
      'an unknown outcome',
      () => {
        throw new StoreUnavailable(new Error('no answer'))
      },
    ],
  ])('is dropped after %s: the next command reads from the first event', async (_what, disturb) => {
    const { id, putIn, reads } = await warmOver(disturb)
    expect(await putIn()).toMatchObject({ revision: 2n })
    expect(reads[0]).toBe(0n)
    expect(await eventsOf(id)).toHaveLength(3)
  })

  test('is dropped after a conflict of an append that was sent twice, because its events may not exist', async () => {
    const { id, putIn, reads } = await warmOver(() => ({ outcome: 'conflict', firstAttempt: false }))
    expect(reads[0]).toBe(0n)
    expect(await putIn()).toMatchObject({ revision: 2n })
    expect(await eventsOf(id)).toHaveLength(3)
  })

  test('has all events of a command or none, also when they span two pages and the second read fails', async () => {
    const id = randomUUID()
    const stream = `${category}-${id}`
    let broken = false
    const handler = replica({
      ...store,
      readStream: async (name, from, maxCount) => {
        if (broken && from > 1n) throw new StoreUnavailable(new Error('no answer'))
        return store.readStream(name, from, maxCount)
      },
    })
    await handler.handle(request(id, { type: 'PutIn', amount: 1 }))
    const straddling = request(id, { type: 'PutIn', amount: 1 })
    const written = (count: number, { commandId, requestHash }: typeof straddling) =>
      Array.from({ length: count }, () => ({
        id: randomUUID(),
        type: 'MoneyPutIn',
        data: { amount: 1 },
        metadata: { commandId, requestHash },
      }))
    await store.append(stream, written(499, request(id, { type: 'PutIn', amount: 1 })), 0n)
    await store.append(stream, written(3, straddling), 499n)
    broken = true
    expect(await refusal(handler.recorded(straddling))).toBe('event_store_unavailable')
    broken = false
    expect(await handler.recorded(straddling)).toMatchObject({ revision: 502n })
  })

  test('is dropped when the store does not have its events: the command is decided on the stored ones', async () => {
    const other = await testStore()
    const empty = connectEventStore({ url: other.url, logger })
    let behind = store
    const handler = replica({
      ...store,
      append: (...args) => behind.append(...args),
      readStream: (...args) => behind.readStream(...args),
    })
    const id = randomUUID()
    const putIn = () => handler.handle(request(id, { type: 'PutIn', amount: 1 }))
    await putIn()
    await putIn()
    if (!process.env.EVENTSTORE_URL) {
      behind = empty
      expect(await putIn()).toMatchObject({ revision: 0n, created: true })
    }
    await empty.close()
    await other.stop()
  })
})

test('commands above the queue limit are refused at once, and accepted again when the queue is empty', async () => {
  const id = randomUUID()
  const released = Promise.withResolvers<void>()
  const handler = replica({
    ...store,
    append: async (_stream, events, expectedRevision) => {
      await released.promise
      const before = typeof expectedRevision === 'bigint' ? expectedRevision : -1n
      const revision = before + BigInt(events.length)
      return { outcome: 'appended', revision, position: { commit: revision, prepare: revision }, firstAttempt: true }
    },
  })
  const putIn = () => handler.handle({ ...request(id, { type: 'PutIn', amount: 1 }), notBefore: 'now' })
  const waiting = Array.from({ length: 10_000 }, putIn)
  expect(await refusal(putIn())).toBe('overloaded')
  released.resolve()
  await Promise.all(waiting)
  expect(await putIn()).toMatchObject({ revision: 10_000n })
})

describe('one append for many', () => {
  test('keeps below the size limit of the store with any number of queued commands', async () => {
    const id = randomUUID()
    const sizes: number[] = []
    const handler = replica({
      ...store,
      append: (stream, events, expectedRevision) => {
        sizes.push(events.length)
        return store.append(stream, events, expectedRevision)
      },
    })
    await Promise.all(Array.from({ length: 1_200 }, () => handler.handle(request(id, { type: 'PutIn', amount: 1 }))))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
    expect(sizes.reduce((sum, size) => sum + size)).toBe(1_200)
  })

  test('writes the same command only once', async () => {
    const id = randomUUID()
    const handler = replica()
    const putIn = request(id, { type: 'PutIn', amount: 1 })
    const [, one, other] = await Promise.all([
      handler.handle(request(id, { type: 'PutIn', amount: 1 })),
      handler.handle(putIn),
      handler.handle(putIn),
    ])
    expect(other).toEqual({ ...one, appended: false })
    expect(await eventsOf(id)).toHaveLength(2)
  })

  test('is shared by queued commands of one stream, each with its own answer', async () => {
    const id = randomUUID()
    let appends = 0
    const counting: EventStore = {
      ...store,
      append: (...args) => {
        appends++
        return store.append(...args)
      },
    }
    const handler = replica(counting)
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => handler.handle(request(id, { type: 'PutIn', amount: 1 }))),
    )
    expect(answers.map(({ revision }) => revision)).toEqual(Array.from({ length: 100 }, (_, index) => BigInt(index)))
    expect(appends).toBeLessThanOrEqual(3)
  })

  test('decides a refused command on the state after the accepted ones before it', async () => {
    const id = randomUUID()
    const handler = replica()
    const outcomes = await Promise.all(
      [
        handler.handle(request(id, { type: 'PutIn', amount: 3 })),
        handler.handle(request(id, { type: 'TakeOut', amount: 2 })),
        handler.handle(request(id, { type: 'TakeOut', amount: 2 })),
        handler.handle(request(id, { type: 'PutIn', amount: 1 })),
        handler.handle(request(id, { type: 'TakeOut', amount: 2 })),
      ].map(refusal),
    )
    expect(outcomes).toEqual(['accepted', 'accepted', 'not_enough', 'accepted', 'accepted'])
  })

  test('fails only the command that the store refuses for its size', async () => {
    const id = randomUUID()
    const handler = replica()
    const outcomes = await Promise.allSettled([
      handler.handle(request(id, { type: 'PutIn', amount: 1 })),
      handler.handle(request(id, { type: 'PutInBlob', bytes: 3 * 1024 * 1024 })),
      handler.handle(request(id, { type: 'PutIn', amount: 1 })),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await eventsOf(id)).toHaveLength(2)
  })
})
