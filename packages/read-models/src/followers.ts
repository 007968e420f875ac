// Everything that follows the event store, as operators see it.
import { contexts } from '@headwater/deciders/contexts'
import {
  dashboardFollower,
  edgeFollower,
  type Follower,
  jobsFollower,
  withDeadLetters,
} from '@headwater/projections/operate/followers'
import type { Pool } from 'pg'
import { dashboardModels, edgeModels } from './read-models.ts'

/** What jobs follow. */
export const jobsCategories: readonly string[] = contexts.flatMap(({ reactions = [] }) =>
  reactions.map(({ stream }) => stream.category),
)

/** @param directory of the node's edge read models */
export const followersIn = (directory: string, pool: Pool): readonly Follower[] =>
  [
    ...edgeModels.map((model) => edgeFollower(directory, model)),
    ...dashboardModels.map((model) => dashboardFollower(pool, model)),
    jobsFollower(pool, 'jobs', jobsCategories),
  ].map(withDeadLetters)
