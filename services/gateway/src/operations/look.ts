// Looks at everything that operators see: each part is asked for itself, within a limit, and one that is away is said to be.

import { Rejection } from '@headwater/deciders/decider'
import type { EventStore } from '@headwater/eventstore/client/client'
import { comparePosition, type Position } from '@headwater/eventstore/position'
import { within } from '@headwater/eventstore/within'
import { type JobsOverview, readJobsOverview } from '@headwater/jobs/overview'
import type { Wish } from '@headwater/projections/operate/wishes'
import type { Follower, FollowerState } from '@headwater/read-models/followers'
import type { Pool } from 'pg'

/** For each part; below the time in which an operator's page asks again. */
const partTimeoutMs = 1_500

type FollowerLook = {
  readonly state: FollowerState | 'not made' | 'away'
  /** Undefined while it cannot be known. */
  readonly lagMs: number | undefined
  readonly wishes: readonly Wish[]
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

const stateOf = ({ state }: Follower): Promise<FollowerLook['state']> =>
  state().catch((error: unknown) =>
    error instanceof Rejection && error.code === 'read_model_not_ready' ? 'not made' : 'away',
  )

export const createLook = ({
  followers,
  store,
  pool,
}: {
  readonly followers: readonly Follower[]
  readonly store: Pick<EventStore, 'head' | 'eventAfter'>
  readonly pool: Pool
}): (() => Promise<Look>) => {
  const headOf = oneAtATime(store.head)
  const answersOf = oneAtATime(() => pool.query('select 1'))
  const jobsOf = oneAtATime(() => readJobsOverview(pool))

  const lookers = followers.map((follower) => {
    const askState = oneAtATime(() => stateOf(follower))
    const askWishes = oneAtATime(follower.wishes.all)
    /** Its age in ms; 0 when there is none. */
    const askOldest = oneAtATime(async (position: Position) => {
      const oldest = await store.eventAfter(follower.categories, position)
      return oldest ? Math.max(0, Date.now() - oldest.recordedAt.getTime()) : 0
    })
    return async (asking: Promise<Position | undefined>): Promise<FollowerLook> => {
      const [state = 'away', wishes = [], head] = await Promise.all([askState(), askWishes(), asking])
      const lag = () => {
        if (!head || typeof state === 'string') return undefined
        return comparePosition(state.position, head) >= 0 ? 0 : askOldest(state.position)
      }
      return { state, wishes, lagMs: await lag() }
    }
  })

  return async () => {
    const asking = headOf()
    const [head, answers, jobs, ...looks] = await Promise.all([
      asking,
      answersOf(),
      jobsOf(),
      ...lookers.map((look) => look(asking)),
    ])
    return {
      at: new Date(),
      head,
      postgresAnswers: answers !== undefined,
      followers: new Map(followers.map(({ name }, n) => [name, looks[n] as FollowerLook])),
      jobs,
    }
  }
}
