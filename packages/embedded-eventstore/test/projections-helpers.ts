// What the tests of projections share: when they have caught up, and what they linked.
import type { EventStoreDBClient } from '@eventstore/db-client'
import { expect } from 'vitest'
import { collect } from './helpers.ts'

export const projectionNames = [
  '$streams',
  '$stream_by_category',
  '$by_category',
  '$by_event_type',
  '$by_correlation_id',
]

const catchingUpMaxMs = 20_000

/** Waits until every projection that runs has seen all that is there. */
export const caughtUp = async (client: EventStoreDBClient): Promise<void> => {
  const behind = async () =>
    (await client.listProjections()).filter(({ status, progress }) => status === 'Running' && progress < 100)
  await expect.poll(behind, { timeout: catchingUpMaxMs, interval: 20 }).toEqual([])
}

/** What the links of a stream say; `undefined` where they are resolved to nothing. */
export const targetsOf = async (client: EventStoreDBClient, stream: string): Promise<(string | undefined)[]> =>
  (await collect(client.readStream(stream, { resolveLinkTos: true }))).map(
    ({ event }) => event && `${event.revision}@${event.streamId}`,
  )

/** The data of an event that is not JSON. */
export const textOf = (event: { data: unknown } | undefined): string =>
  Buffer.from(event?.data as Uint8Array).toString()

/** The links of a stream as they are written. */
export const linksOf = async (client: EventStoreDBClient, stream: string): Promise<string[]> =>
  (await collect(client.readStream(stream))).map(({ event }) => textOf(event))
