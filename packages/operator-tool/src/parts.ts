// Connects a command to what it works with, and lets go of it afterwards.
import os from 'node:os'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { createLogger, type Logger, nextTraceparent } from '@headwater/http-kit/telemetry/telemetry'
import { openPool } from '@headwater/postgres/pool'
import { followersIn } from '@headwater/read-models/followers'
import type { Context } from './command.ts'
import type { Settings } from './settings.ts'

/** A query each follower. */
const connectionsMax = 4

const osUser = (): string => {
  try {
    return os.userInfo().username
  } catch {
    return `uid ${process.getuid?.()}` // a container's user may have no name
  }
}

/** By nothing but the operating system: whoever may log in there may use the tool. */
const whoUsesIt = (): string => `os:${osUser()}@${os.hostname()}`

const auditor = ({
  settings,
  store,
  who,
  logger,
  note,
}: {
  readonly settings: Settings
  readonly store: EventStore
  readonly who: string
  readonly logger: Logger
  readonly note: (line: string) => void
}): Context['writeDown'] => {
  return async ({ what, resource = null }) => {
    let isLost = false
    const metrics = {
      counter: (name: string) => () => {
        if (name === 'audit_events_lost_total') isLost = true
      },
      gauge: () => undefined,
    }
    const audit = startAudit({ store, logger, days: settings.AUDIT_DAYS, metrics })
    const actor = { kind: 'person', sub: who, roles: [], scopes: [] } as const
    audit.done({ method: 'headwater', route: what, resource, actor, traceparent: nextTraceparent(undefined) })
    await audit.stop()
    if (isLost) note(`The audit trail could not be written: that ${who} used "${what}" is in no event.`)
  }
}

export type Surroundings = Pick<Context, 'isJson' | 'out' | 'note' | 'progress' | 'signal'>

/** Runs `work` with everything connected; nothing is sent before it asks. */
export const withParts = async <T>(
  settings: Settings,
  surroundings: Surroundings,
  work: (context: Context) => Promise<T>,
): Promise<T> => {
  // What is worth knowing comes back as an answer or an error.
  const logger = createLogger({ service: 'operator-tool', level: 'silent' })
  const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
  const pool = openPool(settings.DATABASE_URL, connectionsMax, logger)
  const who = whoUsesIt()
  try {
    return await work({
      ...surroundings,
      settings,
      store,
      pool,
      followers: followersIn(settings.EDGE_DIRECTORY, pool),
      who,
      writeDown: auditor({ settings, store, who, logger, note: surroundings.note }),
      logger,
    })
  } finally {
    await Promise.all([store.close(), pool.end()])
  }
}
