// What health and metrics of the process say about its projections.
import { formatPosition } from '@headwater/eventstore/position'
import type { PartStatus } from '@headwater/http-kit/health'
import type { Metrics } from '@headwater/http-kit/metrics'
import type { ProjectionStatus, RunningProjection } from '@headwater/read-models/projection'

const named = ({ id, stream, type, revision, position }: NonNullable<ProjectionStatus['event']>) => ({
  id,
  stream,
  type,
  revision: String(revision),
  position: formatPosition(position),
})

/** In trouble until the projection has once caught up with the store, and whenever it cannot go on. */
export const readModelStatus = (projection: RunningProjection): (() => Promise<PartStatus>) => {
  let wasLive = false
  projection.whenLive().then(
    () => {
      wasLive = true
    },
    () => undefined, // status() tells why it stopped
  )
  return async () => {
    const { state, position, reason, event, restarts, rebuildNeeded } = projection.status()
    return {
      trouble: reason ?? (wasLive ? undefined : `The read model is ${state}.`),
      state,
      position: formatPosition(position),
      // While the store is in trouble, asking it for the lag would only hold up the answer.
      lagMs: reason === undefined ? await projection.lagMs() : undefined,
      restarts,
      rebuildNeeded,
      event: event && named(event),
    }
  }
}

/** A projection in trouble has no lag that could be measured; its health says why. */
export const measureLag = (metrics: Metrics, projections: Readonly<Record<string, RunningProjection>>): void =>
  metrics.gauge('projection_lag_seconds', 'Age of the oldest event that is not yet in the read model.', async () => {
    const samples = Object.entries(projections).map(async ([projection, { status, lagMs }]) =>
      status().reason === undefined ? [{ labels: { projection }, value: (await lagMs()) / 1_000 }] : [],
    )
    return (await Promise.all(samples)).flat()
  })
