// Sets jobs right after the event store was restored: they follow from where it was, and do again what it has lost.
import { type EventStore, StreamDeleted } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { beginning, comparePosition, type Position } from '@headwater/eventstore/position'
import { assignNewStoreId } from '@headwater/eventstore/store-name'
import { inTransaction } from '@headwater/postgres/pool'
import { deadLettersText, isWaiting } from '@headwater/projections/model/parked'
import { readParked } from '@headwater/projections/postgres/parked'
import type { Pool, PoolClient } from 'pg'
import { enqueueEntered } from './ledger/job-list.ts'
import { scheduleStreamStart } from './schedules.ts'
import { follower, readCheckpoint } from './sink.ts'

const pageEvents = 500
/** The streams of the newest jobs may have been deleted. */
const anchorsTriedMax = 100

export type Restored = {
  /** The event store's name from now on. */
  readonly storeId: string
  /** The jobs follow the events after this one. */
  readonly position: Position
  /** So many jobs run again: what they did may be lost. */
  readonly again: number
  /** So many jobs are entered again when their events are there, or come again. */
  readonly forgotten: number
}

const findEvent = async (
  store: Pick<EventStore, 'readStream'>,
  stream: string,
  id: string,
): Promise<StoredEvent | undefined> => {
  for (let from = 0n; ; from += BigInt(pageEvents)) {
    const page = await store.readStream(stream, from, pageEvents)
    const found = page.find((event) => event.id === id)
    if (found || page.length < pageEvents) return found
  }
}

/** The last event before that moment that caused a job in the ledger. Undefined when there is none, or all their streams are deleted. */
const findAnchor = async (store: Pick<EventStore, 'readStream'>, pool: Pool, backupTaken: Date) => {
  const { rows } = await pool.query<{ stream: string; event_id: string }>(
    `select stream, event_id from headwater.jobs where entered_at < $1 and not starts_with(stream, $3)
     order by entered_at desc limit $2`,
    [backupTaken, anchorsTriedMax, scheduleStreamStart],
  )
  for (const { stream, event_id } of rows) {
    const event = await findEvent(store, stream, event_id).catch((error: unknown) => {
      if (!(error instanceof StreamDeleted)) throw error
      return 'deleted' as const
    })
    if (event === 'deleted') continue
    if (event) return event
    throw new Error(
      `The event store does not have the event ${event_id} of ${stream}, from which something had followed ` +
        `before ${backupTaken.toISOString()}: its backup is older, name an earlier moment.`,
    )
  }
}

/** What was set aside beyond is read, and tried, again. */
const unparkAfter = async (client: PoolClient, pool: Pool, position: Position): Promise<void> => {
  const later = (await readParked(pool, follower))
    .filter((one) => isWaiting(one) && comparePosition(one.event.position, position) > 0)
    .map(({ event }) => event.id)
  await client.query('delete from headwater.parked_events where follower = $1 and event_id = any($2)', [
    follower,
    later,
  ])
  const { deadLetters } = await readCheckpoint(client)
  const kept = deadLetters.filter((letter) => comparePosition(letter.position, position) <= 0)
  await client.query('update headwater.followers set dead_letters = $2 where name = $1', [
    follower,
    deadLettersText(kept),
  ])
}

// A mail that may have gone stays: without its row it would go again. Schedules follow from no event.
const forget = `delete from headwater.jobs
  where entered_at >= $1 and sends = 0 and not starts_with(stream, '${scheduleStreamStart}')`

const runAgain = `with entered as (
    update headwater.jobs set done_at = null, replaced_at = null
    where entered_at < $1 and (done_at >= $1 or replaced_at >= $1) and sends = 0 returning *
  ) ${enqueueEntered}`

/**
 * Names the restored event store anew, so that everything that followed it before asks to be built again, and has the
 * jobs follow from before its backup was taken. Jobs that have sent nothing are done again or, of events that are
 * lost, forgotten: each looks at how things are, and its commands have the job's id. Mails that were begun stay in the
 * ledger. Safe to call again.
 * @param backupTaken by Postgres' clock, no later than the backup of the event store began; earlier costs time only
 * @throws when the event store lacks what had followed before that moment; StoreUnavailable, and what Postgres refuses.
 *   Jobs are as they were then.
 */
export const afterRestore = async (store: EventStore, pool: Pool, backupTaken: Date): Promise<Restored> => {
  const anchor = await findAnchor(store, pool, backupTaken)
  const position = anchor?.position ?? beginning
  const storeId = await assignNewStoreId(store)
  const { commit, prepare } = position
  return inTransaction(pool, 'begin', async (client) => {
    // Whoever still follows from the old place cannot write any more.
    await client.query(
      `update headwater.followers set commit_position = $1, prepare_position = $2, event_id = $3,
         event_commit = $1, event_prepare = $2, store_id = $4, epoch = epoch + 1`,
      [commit, prepare, anchor?.id, storeId],
    )
    await client.query(
      `update headwater.followed_kinds set commit_position = $1, prepare_position = $2,
         start_commit = case when (start_commit, start_prepare) > ($1, $2) then $1 else start_commit end,
         start_prepare = case when (start_commit, start_prepare) > ($1, $2) then $2 else start_prepare end
       where (commit_position, prepare_position) > ($1, $2)`,
      [commit, prepare],
    )
    await unparkAfter(client, pool, position)
    const again = await client.query(runAgain, [backupTaken])
    const forgotten = await client.query(forget, [backupTaken])
    return { storeId, position, again: again.rowCount ?? 0, forgotten: forgotten.rowCount ?? 0 }
  })
}
