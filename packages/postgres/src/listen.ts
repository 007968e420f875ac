// Listens to a channel of Postgres for ever: connects again whenever the connection is lost, or does not answer any more.
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import { within } from '@headwater/eventstore/within'
import pg from 'pg'
import type { Logger } from 'pino'

const reconnectBackoff: Backoff = { delayMsMin: 50, delayMsMax: 2_000 }
const connectTimeoutMs = 5_000
/** Whoever only listens does not learn that the line is dead: a connection that nobody ended can be silent for ever. */
const askEveryMs = 5_000
const answerTimeoutMs = 2_000

/** Calls `heard` at every notification, and at every new connection: something may have been missed before it. */
export const listen = (url: string, channel: string, heard: () => void, logger: Logger) => {
  const ending = new AbortController()
  let failures = 0
  let socket: Socket | undefined

  /** Resolves when there was no answer. */
  const whenSilent = async (client: pg.Client, ended: AbortSignal): Promise<void> => {
    for (;;) {
      await sleep(askEveryMs, undefined, { signal: ended })
      try {
        await within(answerTimeoutMs, client.query('select'), () => new Error('Postgres does not answer any more.'))
      } catch (error) {
        logger.debug({ err: error, channel }, 'no longer heard')
        return
      }
    }
  }

  const follow = async (): Promise<void> => {
    const own = new Socket()
    socket = own
    const client = new pg.Client({
      connectionString: url,
      // Ours to end: the client's own way waits for the other end, which may be gone.
      stream: () => own,
      connectionTimeoutMillis: connectTimeoutMs,
      application_name: 'headwater',
    })
    const over = new AbortController()
    const ended = new Promise<void>((resolve) => {
      client.once('end', resolve)
    })
    client.on('error', (error) => logger.debug({ err: error, channel }, 'no longer listening'))
    client.on('notification', heard)
    try {
      // A connection that is ended while it is being made settles nothing but `ended`.
      const listening = client.connect().then(() => client.query(`listen ${channel}`))
      await Promise.race([listening, ended])
      failures = 0
      heard()
      await Promise.race([ended, whenSilent(client, over.signal)])
    } finally {
      over.abort()
      own.destroy()
    }
  }

  const run = async () => {
    while (!ending.signal.aborted) {
      await follow().catch((error) => logger.debug({ err: error, channel }, 'cannot listen'))
      await waitAfter(++failures, reconnectBackoff, ending.signal)
    }
  }
  const ended = run()
  return {
    close: async () => {
      ending.abort()
      socket?.destroy()
      await ended
    },
  }
}
