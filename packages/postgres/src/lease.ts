// A lease in Postgres: at most one holder at a time, for as long as it renews; each holder gets a higher epoch.
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { bigints } from './pool.ts'

const leaseMs = 3_000
const renewEveryMs = leaseMs / 3

export type Lease = {
  /** Rises with every taking. */
  readonly epoch: bigint
  /** Lets a successor in at once. */
  readonly release: () => Promise<void>
}

/**
 * Takes the lease when it is free, has run out, or is `holder`'s own; undefined when another holds it. It is renewed
 * until released or lost. Losing it is not told: what the epoch guards refuses its old holder.
 */
export const takeLease = async (
  pool: Pool,
  name: string,
  holder: string,
  logger: Logger,
): Promise<Lease | undefined> => {
  const taken = await pool.query<{ epoch: bigint }>({
    text: `insert into headwater.leases as held (name, holder, epoch, expires_at)
           values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
           on conflict (name) do update
           set holder = excluded.holder, epoch = held.epoch + 1, expires_at = excluded.expires_at
           where held.expires_at < clock_timestamp() or held.holder = excluded.holder
           returning epoch`,
    values: [name, holder, leaseMs / 1_000],
    types: bigints,
  })
  const epoch = taken.rows[0]?.epoch
  if (epoch === undefined) return undefined

  // Epochs may come again when Postgres was restored: whose it is counts too.
  const extend = (ms: number) =>
    pool.query(
      `update headwater.leases set expires_at = clock_timestamp() + make_interval(secs => $3)
       where name = $1 and epoch = $2 and holder = $4`,
      [name, epoch, ms / 1_000, holder],
    )
  const renewing = setInterval(() => {
    extend(leaseMs).then(
      ({ rowCount }) => {
        if (rowCount === 0) clearInterval(renewing)
      },
      (error) => logger.warn({ err: error, lease: name }, 'the lease could not be renewed'),
    )
  }, renewEveryMs)
  renewing.unref()
  return {
    epoch,
    release: async () => {
      clearInterval(renewing)
      await extend(0).catch((error) => logger.debug({ err: error, lease: name }, 'the lease will run out by itself'))
    },
  }
}
