// The appending client of a store, one per process: it works around defects of the official client 6.2.1.
//
// All clients of a process share one table of pending appends: when one client's append stream fails, every client's
// appends are rejected, and later answers throw. So there is one appending client per store and process.
// With more than 15 appends in flight the client queues writes; a failing stream then ends the process with an
// unhandled rejection. When the server ends a stream without an error, its appends stay pending for ever and the
// stream stays in use. So each append has a timer, and the client is replaced when it fires.
import {
  binaryEvent,
  type EventStoreDBClient,
  type JSONType,
  jsonEvent,
  StreamDeletedError,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import type { Logger } from 'pino'
import { type Backoff, waitAfter } from '../backoff.ts'
import { limitTo } from '../limited.ts'
import { within } from '../within.ts'
import { closeChannel, isOutage, newConnection } from './connection.ts'

const appendsInFlightMax = 15
const appendTimeoutMs = 4_000
/**
 * The client sends the server a deadline by this machine's clock: with a slow clock every append would be late. The
 * server has a shorter limit of its own, and so do we, above.
 */
const serverDeadlineMs = 24 * 60 * 60 * 1_000
const disposeTimeoutMs = 1_000
const appendTriesMax = 6
const resendBackoff: Backoff = { delayMsMin: 50, delayMsMax: 1_000 }

/** An event to append; the store recognizes a repeat by its ID. */
export type EventToAppend = {
  readonly id: string
  readonly type: string
  /** JSON, or raw bytes. */
  readonly data: object
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A revision, `no_stream` for a stream without events, `any` for no check. */
export type ExpectedRevision = bigint | 'no_stream' | 'any'

export type AppendReply =
  | {
      readonly outcome: 'appended'
      readonly revision: bigint
      readonly position: { commit: bigint; prepare: bigint } | undefined
      readonly firstAttempt: boolean
    }
  | { readonly outcome: 'conflict'; readonly firstAttempt: boolean }
  | { readonly outcome: 'deleted' }
  | { readonly outcome: 'unknown'; readonly error: unknown }

export type Appender = {
  /**
   * Appends atomically. After an unknown outcome it sends the identical bytes again at the identical revision, at most
   * `appendTriesMax` times; the store recognizes them by their IDs.
   * `firstAttempt` is true when the first attempt was answered.
   * @param deadlineMs by `performance.now()`: nothing is sent after it, not even for the first time
   */
  readonly append: (
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
    deadlineMs?: number,
  ) => Promise<AppendReply>
  readonly close: () => Promise<void>
}

const utf8 = new TextEncoder()

class AppendTimeout extends Error {}

const createAppender = (url: string, logger: Logger): Appender => {
  const withSlot = limitTo(appendsInFlightMax)
  let client: Promise<EventStoreDBClient> = Promise.resolve(newConnection(url))

  const disposed = (old: EventStoreDBClient) =>
    within(disposeTimeoutMs, old.dispose(), () => new Error('The client did not end its streams.')).finally(
      () => void closeChannel(old),
    )

  /** Disposes of the old client before the new one appends: its failing stream rejects every pending append. */
  const replace = (failed: Promise<EventStoreDBClient>) => {
    if (client !== failed) return
    client = failed.then(async (old) => {
      logger.warn('an append was not answered in time; connecting anew')
      await disposed(old).catch((error: unknown) =>
        logger.warn({ err: error }, 'the old connection could not be closed'),
      )
      return newConnection(url)
    })
  }

  const sendOnce = async (
    stream: string,
    events: ReturnType<typeof jsonEvent | typeof binaryEvent>[],
    expectedRevision: ExpectedRevision,
  ) => {
    const current = client
    const options = { expectedRevision, deadline: serverDeadlineMs }
    const appending = (await current).appendToStream(stream, events, options)
    try {
      return await within(appendTimeoutMs, appending, () => new AppendTimeout())
    } catch (error) {
      if (error instanceof AppendTimeout) replace(current)
      throw error
    }
  }

  const append = async (
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
    deadlineMs: number,
  ): Promise<AppendReply> => {
    const isTooLate = () => performance.now() >= deadlineMs
    if (isTooLate()) return { outcome: 'unknown', error: new Error('The deadline passed before the append was sent.') }
    // As bytes: the client would turn an object into base64 and, slowly, into bytes.
    const bytes = events.map(({ data, ...event }) => {
      const metadata = utf8.encode(JSON.stringify(event.metadata))
      return data instanceof Uint8Array
        ? binaryEvent({ ...event, data, metadata })
        : jsonEvent({ ...event, data: data as JSONType, metadata })
    })
    for (let tries = 1; ; tries++) {
      const firstAttempt = tries === 1
      try {
        const { nextExpectedRevision, position } = await sendOnce(stream, bytes, expectedRevision)
        return { outcome: 'appended', revision: nextExpectedRevision, position, firstAttempt }
      } catch (error) {
        if (error instanceof WrongExpectedVersionError) return { outcome: 'conflict', firstAttempt }
        if (error instanceof StreamDeletedError) return { outcome: 'deleted' }
        if (!isOutage(error) && !(error instanceof AppendTimeout)) throw error
        if (tries === appendTriesMax || isTooLate()) return { outcome: 'unknown', error }
        await waitAfter(tries, resendBackoff)
      }
    }
  }

  return {
    append: (stream, events, expectedRevision, deadlineMs = Number.POSITIVE_INFINITY) =>
      withSlot(() => append(stream, events, expectedRevision, deadlineMs)),
    close: async () => disposed(await client).catch(() => undefined),
  }
}

const appenders = new Map<string, { appender: Appender; users: number }>()

/** The appender for the store at `url`, shared per process and URL; reference-counted. */
export const shareAppender = (url: string, logger: Logger): Appender => {
  const shared = appenders.get(url) ?? { appender: createAppender(url, logger), users: 0 }
  shared.users++
  appenders.set(url, shared)
  let open = true
  return {
    append: shared.appender.append,
    close: async () => {
      if (!open) return
      open = false
      if (--shared.users > 0) return
      appenders.delete(url)
      await shared.appender.close()
    },
  }
}
