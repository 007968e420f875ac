// The process's one appending client of a store, and the cure for what the official client 6.2.1 gets wrong in appending.
//
// All clients of a process share one table of pending appends: when one client's append stream fails, every client's
// appends are rejected, and answers that arrive later throw. So there is one appending client a store and process.
// More than 15 appends in flight make the client queue writes; a stream that fails then ends the process with an
// unhandled rejection. A stream that the server ends without an error leaves its appends pending for ever and stays
// in use. So each append has a timer, and when it runs out the client is replaced. Its limit for the server is a time of day.
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
import { hangUp, isOutage, newConnection } from './connection.ts'

const appendsInFlightMax = 15
const appendTimeoutMs = 4_000
/**
 * The client tells the server until when an append counts, as a time of this machine's clock: whoever's clock is behind
 * could write nothing. The server has a shorter limit of its own, and we have the one above.
 */
const serverDeadlineMs = 24 * 60 * 60 * 1_000
const disposeTimeoutMs = 1_000
const appendTriesMax = 6
const resendBackoff: Backoff = { delayMsMin: 50, delayMsMax: 1_000 }

/** An event to be written; the id makes a re-send of the same bytes recognisable to the store. */
export type EventToAppend = {
  readonly id: string
  readonly type: string
  /** JSON, or bytes as they are. */
  readonly data: object
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A revision, `no_stream` when the writer believes that nothing was ever written, `any` when it does not matter. */
export type ExpectedRevision = bigint | 'no_stream' | 'any'

export type AppendReply =
  | {
      readonly outcome: 'appended'
      readonly revision: bigint
      readonly position: { commit: bigint; prepare: bigint } | undefined
      readonly clean: boolean
    }
  | { readonly outcome: 'conflict'; readonly clean: boolean }
  | { readonly outcome: 'deleted' }
  | { readonly outcome: 'unknown'; readonly error: unknown }

export type Appender = {
  /**
   * Appends atomically. After an outcome that nobody knows the identical bytes are sent again at the identical
   * revision, at most `appendTriesMax` times; the store recognises what it has by the ids.
   * `clean` says that the first send was answered.
   * @param giveUpAtMs by `performance.now()`: from then on nothing is sent any more, not even for the first time
   */
  readonly append: (
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
    giveUpAtMs?: number,
  ) => Promise<AppendReply>
  readonly close: () => Promise<void>
}

const utf8 = new TextEncoder()

class AppendTimeout extends Error {}

const createAppender = (url: string, logger: Logger): Appender => {
  const inPlace = limitTo(appendsInFlightMax)
  let client: Promise<EventStoreDBClient> = Promise.resolve(newConnection(url))

  const disposed = (old: EventStoreDBClient) =>
    within(disposeTimeoutMs, old.dispose(), () => new Error('The client did not let go of its streams.')).finally(
      () => void hangUp(old),
    )

  /** The old client must be gone before the new one appends: its failing stream rejects every pending append. */
  const replace = (failed: Promise<EventStoreDBClient>) => {
    if (client !== failed) return
    client = failed.then(async (old) => {
      logger.warn('an append was not answered in time; connecting anew')
      await disposed(old).catch((error: unknown) => logger.warn({ err: error }, 'old connection left behind'))
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
    giveUpAtMs: number,
  ): Promise<AppendReply> => {
    const isTooLate = () => performance.now() >= giveUpAtMs
    if (isTooLate()) return { outcome: 'unknown', error: new Error('It had to wait too long and was not sent.') }
    // Bytes are sent as they are; the client would turn an object into base64 and, slowly, into bytes.
    const bytes = events.map(({ data, ...event }) => {
      const metadata = utf8.encode(JSON.stringify(event.metadata))
      return data instanceof Uint8Array
        ? binaryEvent({ ...event, data, metadata })
        : jsonEvent({ ...event, data: data as JSONType, metadata })
    })
    for (let tries = 1; ; tries++) {
      const clean = tries === 1
      try {
        const { nextExpectedRevision, position } = await sendOnce(stream, bytes, expectedRevision)
        return { outcome: 'appended', revision: nextExpectedRevision, position, clean }
      } catch (error) {
        if (error instanceof WrongExpectedVersionError) return { outcome: 'conflict', clean }
        if (error instanceof StreamDeletedError) return { outcome: 'deleted' }
        if (!isOutage(error) && !(error instanceof AppendTimeout)) throw error
        if (tries === appendTriesMax || isTooLate()) return { outcome: 'unknown', error }
        await waitAfter(tries, resendBackoff)
      }
    }
  }

  return {
    append: (stream, events, expectedRevision, giveUpAtMs = Number.POSITIVE_INFINITY) =>
      inPlace(() => append(stream, events, expectedRevision, giveUpAtMs)),
    close: async () => disposed(await client).catch(() => undefined),
  }
}

const appenders = new Map<string, { appender: Appender; users: number }>()

/** The process's appender for the store at `url`; whoever comes second shares it, whoever leaves last closes it. */
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
