// Listens to a channel of Postgres for ever: connects again whenever the connection is lost.
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import pg from 'pg'
import type { Logger } from 'pino'

const reconnectBackoff: Backoff = { delayMsMin: 50, delayMsMax: 2_000 }

/** Calls `heard` at every notification, and at every new connection: something may have been missed before it. */
export const listen = (url: string, channel: string, heard: () => void, logger: Logger) => {
  const ending = new AbortController()
  let failures = 0
  let client: pg.Client | undefined
  const follow = async (): Promise<void> => {
    const own = new pg.Client({ connectionString: url, keepAlive: true, application_name: 'headwater' })
    client = own
    const ended = new Promise<void>((resolve) => {
      own.once('end', resolve)
    })
    own.on('error', (error) => logger.debug({ err: error, channel }, 'no longer listening'))
    own.on('notification', heard)
    // A connection that is ended while it is being made settles nothing but `ended`.
    const listening = own.connect().then(() => own.query(`listen ${channel}`))
    await Promise.race([listening, ended])
    failures = 0
    heard()
    await ended
  }
  const run = async () => {
    while (!ending.signal.aborted) {
      await follow().catch((error) => logger.debug({ err: error, channel }, 'cannot listen'))
      await client?.end().catch(() => undefined)
      await waitAfter(++failures, reconnectBackoff, ending.signal)
    }
  }
  const ended = run()
  return {
    close: async () => {
      ending.abort()
      await client?.end().catch(() => undefined)
      await ended
    },
  }
}
