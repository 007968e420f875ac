// A store, a read model and projections between them, for tests of projections in trouble.
import { randomUUID } from 'node:crypto'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { formatPosition, type Position } from '@headwater/eventstore/position'
import { streamName } from '@headwater/eventstore/stream-name'
import { logger, type Place, type TillEvent, tillsOf } from '@headwater/test-kit/toys/tills'
import type { Sink } from '../src/model/sink.ts'
import { startProjection } from '../src/run/projection.ts'
import type { RunningProjection } from '../src/run/running-projection.ts'

const waitMsMax = 20_000

export const following = async (openPlace: () => Promise<Place>) => {
  const given = process.env.EVENTSTORE_URL
  const node = given ? undefined : await start({ port: 0, memory: true })
  const store = connectEventStore({ url: given ?? node?.connectionString ?? '', logger })
  const place = await openPlace()
  const category = `till${randomUUID().replaceAll('-', '')}`
  const running: RunningProjection[] = []

  const amounts = async () =>
    Object.fromEntries((await place.rows()).value.map(({ tillId, amount }) => [tillId, amount]))

  return {
    store,
    place,
    category,
    streamOf: (tillId: string) => streamName(category, tillId),
    project: (
      change: Partial<ReturnType<typeof tillsOf>> = {},
      sink: Sink = place.openSink(),
      from: EventStore = store,
    ): RunningProjection => {
      const projection = startProjection({ store: from, sink, projection: { ...tillsOf(category), ...change }, logger })
      running.push(projection)
      return projection
    },
    stop: async (projection: RunningProjection) => {
      running.splice(running.indexOf(projection), 1)
      await projection.stop()
    },
    /** Splits events into appends that the store accepts. */
    append: async (tillId: string, ...events: readonly TillEvent[]): Promise<Position> => {
      const stream = streamName(category, tillId)
      const [last] = (await store.readStream(stream, 0n, 10_000)).slice(-1)
      const outcome = await store.append(
        stream,
        events.map((event) => ({ ...event, id: randomUUID(), metadata: {} })),
        last?.revision ?? 'no_stream',
      )
      if (outcome.outcome !== 'appended') throw new Error(outcome.outcome)
      return outcome.position
    },
    amounts,
    arrived: async (position: Position) => {
      if (!(await place.waitFor(position, waitMsMax))) throw new Error(`${formatPosition(position)} did not arrive.`)
    },
    remove: async () => {
      await Promise.all(running.splice(0).map((projection) => projection.stop()))
      await place.remove()
      await store.close()
      await node?.stop()
    },
  }
}

export type Following = Awaited<ReturnType<typeof following>>
