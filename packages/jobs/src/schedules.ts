// Enters a job for each period of a schedule, once, by the clock of Postgres, however many processes look.
import type { Schedule } from '@headwater/deciders/schedule'
import { beginning } from '@headwater/eventstore/position'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { bigints, inTransaction } from '@headwater/postgres/pool'
import type { Pool, PoolClient } from 'pg'
import { v5 as uuidV5 } from 'uuid'
import { enterJobs } from './ledger/enter-jobs.ts'
import { jobRow } from './reactions.ts'

const lookEveryMs = 1_000
/** The others are entered at the next look. */
const periodsAtOnceMax = 100
const scheduleNamespace = '8e2b1f0c-5a7d-4c39-9e64-1d0a3b7f2c58'

/** Jobs of schedules follow from no event: their stream is named by the schedule, and there is none. */
export const scheduleStreamStart = 'schedule-'

/** The current period and the last one that was done; that of the first look is not done, as it began before. */
const periodsOf = async (client: PoolClient, { name, everyMs }: Schedule) => {
  const current = 'floor(extract(epoch from clock_timestamp()) * 1000 / $2)::int8'
  await client.query(
    `insert into headwater.schedules (name, last_period) values ($1, ${current}) on conflict (name) do nothing`,
    [name, everyMs],
  )
  const { rows } = await client.query<{ last: bigint; current: bigint }>({
    text: `select last_period as last, ${current} as current from headwater.schedules where name = $1 for update`,
    values: [name, everyMs],
    types: bigints,
  })
  return rows[0] ?? { last: 0n, current: 0n }
}

/** The periods to do now. A clock that was set back leads to none. */
const duePeriods = ({ catchUp }: Schedule, last: bigint, current: bigint): readonly bigint[] => {
  if (current <= last) return []
  if (catchUp === 'last') return [current]
  if (catchUp === 'skip') return current === last + 1n ? [current] : []
  const count = Math.min(Number(current - last), periodsAtOnceMax)
  return Array.from({ length: count }, (_, n) => last + 1n + BigInt(n))
}

/** Enters what is due of one schedule. The row of the schedule is locked meanwhile, so that each period is done once. */
export const enterDue = (pool: Pool, schedule: Schedule): Promise<void> =>
  inTransaction(pool, 'begin', async (client) => {
    const { last, current } = await periodsOf(client, schedule)
    if (current <= last) return
    const due = duePeriods(schedule, last, current)
    const jobs = due.map((period) => {
      const start = new Date(Number(period) * schedule.everyMs)
      const id = uuidV5(`${schedule.name}/${period}`, scheduleNamespace)
      const stream = `${scheduleStreamStart}${schedule.name}`
      const event = { id, stream, position: beginning, metadata: {}, recordedAt: start }
      return { ...jobRow(event, schedule.job(start.toISOString())), id }
    })
    await enterJobs(client, jobs)
    const text = 'update headwater.schedules set last_period = $2 where name = $1'
    await client.query(text, [schedule.name, schedule.catchUp === 'all' ? due.at(-1) : current])
  })

export const startSchedules = ({
  pool,
  prepare,
  schedules,
  logger,
}: {
  readonly pool: Pool
  readonly prepare: () => Promise<void>
  readonly schedules: readonly Schedule[]
  readonly logger: Logger
}): { readonly stop: () => Promise<void> } => {
  let looking: Promise<void> = Promise.resolve()
  let isAway = false
  const look = async () => {
    try {
      await prepare()
      for (const schedule of schedules) await enterDue(pool, schedule)
      if (isAway) logger.info('schedules are looked at again')
      isAway = false
    } catch (error) {
      if (!isAway) logger.warn({ err: error }, 'schedules cannot be looked at; this is tried again every second')
      isAway = true
    }
  }
  const timer = setInterval(() => {
    looking = looking.then(look)
  }, lookEveryMs)
  return {
    stop: async () => {
      clearInterval(timer)
      await looking
    },
  }
}
