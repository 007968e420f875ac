// Who is signed in: rows in Postgres that every gateway shares, found by a hash of what the browser's cookie holds.
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { migrate, onceDone } from '@headwater/postgres/migrate'
import { inTransaction, openPool } from '@headwater/postgres/pool'
import { z } from 'zod'
import { keyOfSecret, newSecret, sealingOfSessions } from '../secrets.ts'

const connectionsMax = 10
const prepareBackoff: Backoff = { delayMsMin: 200, delayMsMax: 5_000 }
/** Of a person who asks nothing, by Postgres' clock. */
export const idleMinutesMax = 30
/** However busy the person is. */
export const sessionHoursMax = 12
/** How exactly it is known when somebody was last there: not every request writes. */
const seenEverySeconds = 60
/** A token is refreshed so long before it ends, or at half its life when that is later. */
const refreshSecondsBefore = 30
/** Longer than the issuer is given to answer, so that whoever waits gets what the other was given. */
const refreshLockMsMax = 8_000

export const sessionsChannel = 'headwater_sessions'

/** What the issuer gave for a person who signed in. */
export type Tokens = {
  readonly accessToken: string
  readonly refreshToken?: string | undefined
  readonly lifetimeSeconds: number
}

export type Person = { readonly sub: string; readonly name?: string | undefined }

export type Session = { readonly key: string; readonly name?: string | undefined; readonly accessToken: string }

/** Undefined when the issuer refuses: the person, or this session at the issuer, is gone. */
export type Refresh = (refreshToken: string) => Promise<Tokens | undefined>

export type Sessions = {
  /** @returns what the browser's cookie holds; no two are equal, whoever signs in from where */
  readonly create: (person: Person, tokens: Tokens) => Promise<string>
  /** @throws Problem 503 while Postgres cannot be asked, or the issuer when it has to be */
  readonly find: (secret: string) => Promise<Session | undefined>
  /** @throws Problem 503 */
  readonly end: (key: string) => Promise<void>
  /** The same, of the session whose cookie this is. @throws Problem 503 */
  readonly endOf: (secret: string) => Promise<void>
  /** Those of the keys whose sessions are open. @throws Problem 503 */
  readonly open: (keys: readonly string[]) => Promise<ReadonlySet<string>>
  /** Those of the keys whose sessions are open with a token that has ended. @throws Problem 503 */
  readonly spent: (keys: readonly string[]) => Promise<readonly string[]>
  /** Gets a new token for such a session; one whose person the issuer knows no more is over. @throws Problem 503 */
  readonly renew: (key: string) => Promise<void>
  /** @throws Problem 503 */
  readonly removeOver: () => Promise<void>
}

const contents = z.object({
  accessToken: z.string(),
  refreshToken: z.string().optional(),
  name: z.string().optional(),
})
type Contents = z.infer<typeof contents>

type Row = { sealed: Buffer; due: boolean; usable: boolean; unseen: boolean }

const isOpen = `seen_at > clock_timestamp() - make_interval(mins => ${idleMinutesMax})
  and created_at > clock_timestamp() - make_interval(hours => ${sessionHoursMax})`
const select = `select sealed, refresh_at <= clock_timestamp() as due, token_expires_at > clock_timestamp() as usable,
    seen_at < clock_timestamp() - make_interval(secs => ${seenEverySeconds}) as unseen
  from headwater.sessions where key = $1 and ${isOpen}`
const remove = `delete from headwater.sessions where key = $1 returning pg_notify('${sessionsChannel}', '')`

const refreshAfter = (lifetimeSeconds: number) => Math.max(lifetimeSeconds - refreshSecondsBefore, lifetimeSeconds / 2)

/** One pool for sessions and links; its tables are prepared in the background, or sooner by a request that needs them. */
export const openSessionDatabase = (url: string, logger: Logger) => {
  const pool = openPool(url, connectionsMax, logger)
  const closing = new AbortController()
  let isPrepared = false
  const prepare = onceDone(async () => {
    await migrate(pool)
    isPrepared = true
  })
  const prepareInBackground = async () => {
    for (let failures = 1; !isPrepared && !closing.signal.aborted; failures++)
      try {
        await prepare()
      } catch (error) {
        if (failures === 1) logger.warn({ err: error }, 'the tables in Postgres cannot be prepared yet; trying again')
        await waitAfter(failures, prepareBackoff, closing.signal)
      }
  }
  const preparing = prepareInBackground()
  return {
    status: () => ({ trouble: isPrepared ? undefined : 'The tables in Postgres are not prepared yet.' }),
    /** Runs `work` on tables that are there. @throws Problem 503 when Postgres does not do it */
    asking: async <T>(work: (db: typeof pool) => Promise<T>): Promise<T> => {
      try {
        await prepare()
        return await work(pool)
      } catch (error) {
        if (error instanceof Problem) throw error
        logger.warn({ err: error }, 'sessions cannot be read or written')
        throw new Problem(503, 'sessions_unavailable', 'Who you are cannot be checked now. You are still signed in.')
      }
    },
    close: async () => {
      closing.abort()
      await preparing
      await pool.end()
    },
  }
}

export type SessionDatabase = ReturnType<typeof openSessionDatabase>

export const createSessions = ({
  database: { asking },
  secret: sessionKey,
  refresh,
  logger,
}: {
  readonly database: SessionDatabase
  /** Encrypts the tokens; with another one nobody is signed in any more. */
  readonly secret: string
  readonly refresh: Refresh
  readonly logger: Logger
}): Sessions => {
  const sealing = sealingOfSessions(sessionKey)
  const seal = (key: string, value: Contents) => sealing.seal(JSON.stringify(value), `session ${key}`)
  const unseal = (key: string, sealed: Buffer): Contents | undefined => {
    const text = sealing.open(sealed, `session ${key}`)
    return text === undefined ? undefined : contents.parse(JSON.parse(text))
  }
  /** Under the row's lock: of many requests on many gateways one asks the issuer, the others find what it got. */
  const refreshed = (key: string): Promise<Contents | undefined> =>
    asking((pool) =>
      inTransaction(pool, 'begin', async (client) => {
        await client.query(`set local lock_timeout = ${refreshLockMsMax}`)
        await client.query(`set local idle_in_transaction_session_timeout = ${refreshLockMsMax}`)
        // The conditions of a row that was waited for are those of its new version; its `due` is read after the wait.
        await client.query('select from headwater.sessions where key = $1 for update', [key])
        const [row] = (await client.query<Row>(select, [key])).rows
        const held = row && unseal(key, row.sealed)
        if (!held || !row.due) return held
        const fresh = held.refreshToken === undefined ? undefined : await refresh(held.refreshToken)
        if (!fresh) {
          await client.query(remove, [key])
          return undefined
        }
        const { accessToken, refreshToken = held.refreshToken, lifetimeSeconds } = fresh
        const next = { ...held, accessToken, refreshToken }
        await client.query(
          `update headwater.sessions set sealed = $2, refresh_at = clock_timestamp() + make_interval(secs => $3),
             token_expires_at = clock_timestamp() + make_interval(secs => $4) where key = $1`,
          [key, seal(key, next), refreshAfter(lifetimeSeconds), lifetimeSeconds],
        )
        return next
      }),
    )

  const refreshing = new Map<string, Promise<Contents | undefined>>()
  /** Requests of one browser come in bunches: one of them takes a connection. */
  const refreshedOnce = (key: string): Promise<Contents | undefined> => {
    const running = refreshing.get(key)
    if (running) return running
    const started = refreshed(key).finally(() => refreshing.delete(key))
    refreshing.set(key, started)
    return started
  }

  const usableOrRefreshed = async (key: string, row: Row, held: Contents): Promise<Contents | undefined> => {
    if (!row.due || (row.usable && held.refreshToken === undefined)) return held
    try {
      return await refreshedOnce(key)
    } catch (error) {
      // The issuer is away: what it gave is good until it ends.
      if (!row.usable) throw error
      logger.warn({ err: error }, 'a session could not be refreshed yet')
      return held
    }
  }

  const end = async (key: string): Promise<void> => {
    await asking((pool) => pool.query(remove, [key]))
  }

  return {
    create: async ({ sub, name }, { accessToken, refreshToken, lifetimeSeconds }) => {
      const secret = newSecret()
      const key = String(keyOfSecret(secret))
      await asking((pool) =>
        pool.query(
          `insert into headwater.sessions (key, sub, sealed, refresh_at, token_expires_at)
           values ($1, $2, $3, now() + make_interval(secs => $4), now() + make_interval(secs => $5))`,
          [key, sub, seal(key, { accessToken, refreshToken, name }), refreshAfter(lifetimeSeconds), lifetimeSeconds],
        ),
      )
      return secret
    },
    find: async (secret) => {
      const key = keyOfSecret(secret)
      if (key === undefined) return undefined
      const row = await asking(async (pool) => {
        const [found] = (await pool.query<Row>(select, [key])).rows
        if (found?.unseen)
          await pool.query('update headwater.sessions set seen_at = clock_timestamp() where key = $1', [key])
        return found
      })
      const held = row && unseal(key, row.sealed)
      const current = held && (await usableOrRefreshed(key, row, held))
      return current && { key, name: current.name, accessToken: current.accessToken }
    },
    end,
    endOf: async (secret) => {
      const key = keyOfSecret(secret)
      if (key !== undefined) await end(key)
    },
    open: (keys) =>
      asking(async (pool) => {
        const text = `select key from headwater.sessions where key = any($1) and ${isOpen}`
        const { rows } = await pool.query<{ key: string }>(text, [keys])
        return new Set(rows.map(({ key }) => key))
      }),
    spent: (keys) =>
      asking(async (pool) => {
        const text = `select key from headwater.sessions
          where key = any($1) and token_expires_at <= clock_timestamp() and ${isOpen}`
        const { rows } = await pool.query<{ key: string }>(text, [keys])
        return rows.map(({ key }) => key)
      }),
    renew: async (key) => {
      await refreshedOnce(key)
    },
    removeOver: async () => {
      await asking((pool) => pool.query(`delete from headwater.sessions where not (${isOpen})`))
    },
  }
}
