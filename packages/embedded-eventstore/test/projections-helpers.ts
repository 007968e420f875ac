// Shared by tests of projections: waiting until they have caught up, and reading their links.
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

/** Waits until every running projection has processed all events. */
export const caughtUp = async (client: EventStoreDBClient): Promise<void> => {
  const behind = async () =>
    (await client.listProjections()).filter(({ status, progress }) => status === 'Running' && progress < 100)
  await expect.poll(behind, { timeout: catchingUpMaxMs, interval: 20 }).toEqual([])
}

/** The targets of a stream's links; `undefined` where a target is missing. */
export const targetsOf = async (client: EventStoreDBClient, stream: string): Promise<(string | undefined)[]> =>
  (await collect(client.readStream(stream, { resolveLinkTos: true }))).map(
    ({ event }) => event && `${event.revision}@${event.streamId}`,
  )

/** The data of an event that is not JSON. */
export const textOf = (event: { data: unknown } | undefined): string =>
  Buffer.from(event?.data as Uint8Array).toString()

/** The raw links of a stream. */
export const linksOf = async (client: EventStoreDBClient, stream: string): Promise<string[]> =>
  (await collect(client.readStream(stream))).map(({ event }) => textOf(event))
