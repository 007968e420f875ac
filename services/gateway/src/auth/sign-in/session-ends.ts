// Tells what stands on a session, such as a live socket, that the session is over, whichever gateway, or the issuer, ended it.
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { listen } from '@headwater/postgres/listen'
import { type Sessions, sessionsChannel } from './sessions.ts'

/** Sessions also end by time, which nobody notifies, and a notification can be lost. */
const pollMs = 5_000
const removeOverMs = 60_000

export type SessionEnds = {
  /** Calls `ended` once when the session is over. Returns what ends that. */
  readonly follow: (key: string, ended: () => void) => () => void
  readonly close: () => Promise<void>
}

export const watchSessionEnds = ({
  sessions,
  databaseUrl,
  logger,
}: {
  readonly sessions: Pick<Sessions, 'open' | 'spent' | 'renew' | 'removeOver'>
  readonly databaseUrl: string
  readonly logger: Logger
}): SessionEnds => {
  const followers = new Map<string, Set<() => void>>()

  const look = async (): Promise<void> => {
    // Those that come while Postgres is asked are none of this question.
    const asked = [...followers.keys()]
    if (asked.length === 0) return
    const open = await sessions.open(asked)
    for (const key of asked) {
      if (open.has(key)) continue
      const told = followers.get(key) ?? []
      followers.delete(key)
      for (const ended of told) ended()
    }
  }

  let looking: Promise<void> | undefined
  let again = false
  const lookSoon = () => {
    again = true
    looking ??= (async () => {
      while (again) {
        again = false
        // While Postgres is away sessions stay open; the next poll asks again.
        await look().catch((error) => logger.debug({ err: error }, 'sessions cannot be checked'))
      }
      looking = undefined
    })()
  }
  let renewing: Promise<void> | undefined
  /** Who only follows asks for nothing that would tell that they may not any more: their issuer is asked instead. */
  const renewSpent = async (): Promise<void> => {
    // One after the other: whoever comes by meanwhile has the database, too.
    for (const key of await sessions.spent([...followers.keys()])) await sessions.renew(key)
  }
  const renewSoon = () => {
    if (followers.size === 0) return
    renewing ??= renewSpent()
      .catch((error) => logger.debug({ err: error }, 'sessions cannot be renewed'))
      .finally(() => {
        renewing = undefined
      })
  }

  const listening = listen(databaseUrl, sessionsChannel, lookSoon, logger)
  const polling = setInterval(() => {
    lookSoon()
    renewSoon()
  }, pollMs)
  const removing = setInterval(() => {
    sessions.removeOver().catch((error) => logger.debug({ err: error }, 'old sessions stay for now'))
  }, removeOverMs)

  return {
    follow: (key, ended) => {
      const own = () => ended()
      followers.set(key, (followers.get(key) ?? new Set()).add(own))
      return () => {
        const others = followers.get(key)
        others?.delete(own)
        if (others?.size === 0) followers.delete(key)
      }
    },
    close: async () => {
      clearInterval(polling)
      clearInterval(removing)
      await listening.close()
      await Promise.all([looking, renewing])
    },
  }
}
