// What health and metrics of a projector say about its projections.
import { formatPosition } from '@headwater/eventstore/position'
import type { ProjectionStatus, RunningProjection } from './projection.ts'

const named = ({ id, stream, type, revision, position }: NonNullable<ProjectionStatus['event']>) => ({
  id,
  stream,
  type,
  revision: String(revision),
  position: formatPosition(position),
})

/** Only a projection that follows the store has a lag: of one in trouble health says why, and of one standing by another's counts. */
const hasLag = ({ state, reason }: ProjectionStatus): boolean => reason === undefined && state !== 'standing by'

/**
 * In trouble until the projection has once caught up with the store, and whenever it cannot go on. Standing by is no
 * trouble: another process does the work.
 */
export const projectionStatus = (projection: RunningProjection) => {
  let wasLive = false
  projection.whenLive().then(
    () => {
      wasLive = true
    },
    () => undefined, // status() tells why it stopped
  )
  return async () => {
    const status = projection.status()
    const { state, position, reason, event, restarts, rebuildNeeded } = status
    const isReady = wasLive || state === 'standing by'
    return {
      trouble: reason ?? (isReady ? undefined : `The read model is ${state}.`),
      // A bad event or another history: it waits for an operator, and says so loudly.
      ended: state === 'stopped',
      state,
      position: formatPosition(position),
      // While the store is in trouble, asking it for the lag would only hold up the answer.
      lagMs: hasLag(status) ? await projection.lagMs() : undefined,
      restarts,
      rebuildNeeded,
      event: event && named(event),
    }
  }
}

export const lagMetric = {
  name: 'projection_lag_seconds',
  help: 'Age of the oldest event that is not yet in the read model.',
}

/** The samples of {@link lagMetric}, a projection each. */
export const lagSamples = async (projections: Readonly<Record<string, RunningProjection>>) => {
  const samples = Object.entries(projections).map(async ([projection, { status, lagMs }]) =>
    hasLag(status()) ? [{ labels: { projection }, value: (await lagMs()) / 1_000 }] : [],
  )
  return (await Promise.all(samples)).flat()
}
