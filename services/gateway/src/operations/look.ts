// Looks at everything that operators see: each part is asked for itself, within a limit, and one that is away is said to be.

import type { EventStore } from '@headwater/eventstore/client/client'
import type { Position } from '@headwater/eventstore/position'
import { within } from '@headwater/eventstore/within'
import { type JobsOverview, readJobsOverview } from '@headwater/jobs/overview'
import {
  type Measured,
  measuredOf,
  type Stored,
  type StoreFacts,
  storedOf,
  storeFacts,
} from '@headwater/projections/operate/facts'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Pool } from 'pg'

/** For each part; below the time in which an operator's page asks again. */
const partTimeoutMs = 1_500

type FollowerLook = {
  readonly stored: Stored | 'away'
  /** Undefined while the event store does not say. */
  readonly measured: Measured | undefined
}

export type Look = {
  readonly at: Date
  /** Undefined while the event store does not answer. */
  readonly head: Position | undefined
  readonly postgresAnswers: boolean
  readonly followers: ReadonlyMap<string, FollowerLook>
  readonly jobs: JobsOverview | undefined
}

/** Asks anew only once the last question is answered, however late: who does not answer is not asked more and more. */
const oneAtATime = <Args extends readonly unknown[], T>(ask: (...args: Args) => Promise<T>) => {
  let asking: Promise<T> | undefined
  return (...args: Args): Promise<T | undefined> => {
    asking ??= ask(...args).finally(() => {
      asking = undefined
    })
    return within(partTimeoutMs, asking, () => new Error('no answer in time')).catch(() => undefined)
  }
}

export const createLook = ({
  followers,
  store,
  pool,
}: {
  readonly followers: readonly Follower[]
  readonly store: Pick<EventStore, 'head' | 'eventAt' | 'eventAfter' | 'readStream'>
  readonly pool: Pool
}): (() => Promise<Look>) => {
  const storeOf = oneAtATime(() => storeFacts(store))
  const answersOf = oneAtATime(() => pool.query('select 1'))
  const jobsOf = oneAtATime(() => readJobsOverview(pool))

  const lookers = followers.map((follower) => {
    const askStored = oneAtATime(() => storedOf(follower))
    const measure = oneAtATime((known: StoreFacts, stored: Stored) => measuredOf(store, known, follower, stored))
    return async (asking: Promise<StoreFacts | undefined>): Promise<FollowerLook> => {
      const [stored = 'away', known] = await Promise.all([askStored(), asking])
      return { stored, measured: stored === 'away' || !known ? undefined : await measure(known, stored) }
    }
  })

  return async () => {
    const asking = storeOf()
    const [known, answers, jobs, ...looks] = await Promise.all([
      asking,
      answersOf(),
      jobsOf(),
      ...lookers.map((look) => look(asking)),
    ])
    return {
      at: new Date(),
      head: known?.head,
      postgresAnswers: answers !== undefined,
      followers: new Map(followers.map(({ name }, n) => [name, looks[n] as FollowerLook])),
      jobs,
    }
  }
}
