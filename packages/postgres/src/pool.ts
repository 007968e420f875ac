// Connections to Postgres: what they wait for and how long, and which numbers they read as bigints.
import pg from 'pg'
import type { Logger } from 'pino'

const connectTimeoutMs = 5_000
const lockTimeoutMs = 1_000
/** A process that is stopped inside a transaction loses it after this, and its successor gets in. */
const idleInTransactionTimeoutMs = 2_000
const keepAliveAfterMs = 1_000
const queryTimeoutMs = 30_000

type Types = pg.CustomTypesConfig

const int8Parsed = (parse: (text: string) => number | bigint): Types => ({
  getTypeParser: (oid, format) => (oid === pg.types.builtins.INT8 ? parse : pg.types.getTypeParser(oid, format)),
})

/** SQLSTATE classes of values that do not fit: data exception, constraint, check option, program limit, a trigger that raises. */
const refusedClasses = ['22', '23', '44', '54', 'P0']

/** Whether Postgres cannot hold what it was given, or is itself in trouble. */
export const blamePostgres = (error: unknown): 'refused' | 'unavailable' => {
  if (error instanceof TypeError || error instanceof RangeError) return 'refused' // values that cannot be sent
  const state = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
  return refusedClasses.includes(state.slice(0, 2)) ? 'refused' : 'unavailable' // lost connections have no class
}

/** SQLSTATE classes of trouble with the server: connection, transaction, resources, locks, operator, system. */
const outageClasses = ['08', '25', '53', '55', '57', '58', 'XX']

/** Whether Postgres answered that it will not do this, and goes on with whatever comes next. */
export const isRefused = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && !outageClasses.includes(error.code?.slice(0, 2) ?? '')

/** Like pg-pool's `query`, which closes the connection after every failed query: a missing table would cost one per request. */
const queryKeeping = (pool: pg.Pool) => async (text: string | pg.QueryConfig, values?: unknown[]) => {
  const client = await pool.connect()
  try {
    const result = await client.query(text, values)
    client.release()
    return result
  } catch (error) {
    client.release(!isRefused(error))
    throw error
  }
}

/** For queries of positions and epochs; elsewhere 64-bit columns hold safe integers and are read as numbers. */
export const bigints: Types = int8Parsed(BigInt)

/** Outages come up as failed queries; nothing here ends the process. */
export const openPool = (url: string, connectionsMax: number, logger: Logger): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    types: int8Parsed(Number),
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveAfterMs,
    lock_timeout: lockTimeoutMs,
    idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
    query_timeout: queryTimeoutMs,
    application_name: 'headwater',
  })
  const lost = (error: Error) => logger.debug({ err: error }, 'a connection to Postgres was lost')
  pool.query = queryKeeping(pool) as typeof pool.query
  pool.on('error', lost)
  // A connection that is lost while it is in use tells its user and emits this as well.
  pool.on('connect', (client) => client.on('error', lost))
  return pool
}

/** Runs `work` in one transaction on one connection. */
export const inTransaction = async <T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> => {
  const client = await pool.connect()
  try {
    await client.query(begin)
    const result = await work(client)
    await client.query('commit')
    client.release()
    return result
  } catch (error) {
    const rolledBack = await client.query('rollback').then(
      () => true,
      () => false,
    )
    client.release(!rolledBack)
    throw error
  }
}
