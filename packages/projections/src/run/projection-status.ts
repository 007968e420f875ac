// Reports projections in the health and the metrics of a projector.
import { formatPosition } from '@headwater/eventstore/position'
import type { ParkedEvent } from '../model/parked.ts'
import type { ProjectionStatus, RunningProjection } from './running-projection.ts'

const named = ({ id, stream, type, revision, position }: NonNullable<ProjectionStatus['event']>) => ({
  id,
  stream,
  type,
  revision: String(revision),
  position: formatPosition(position),
})

/** Only a projection at work has a lag: health says why one has trouble, and one on stand-by has another's lag. */
const hasLag = ({ state, reason }: ProjectionStatus): boolean => reason === undefined && state !== 'standing by'

const isDeadLetter = ({ deadLetter }: ParkedEvent): boolean => deadLetter !== undefined

/** The operator tool lists them. */
const parkedTrouble = (parked: readonly ParkedEvent[]): string | undefined => {
  if (parked.length === 0) return undefined
  const letters = parked.filter(isDeadLetter).length
  const besides = letters > 0 ? `, ${letters} of them not even parked` : ''
  return `${parked.length} events could not be projected${besides}: npm run headwater -- parked list`
}

const stoppedTrouble = ({ event, reason }: ProjectionStatus): string | undefined =>
  event && `Stopped at the event ${event.id}: npm run headwater -- parked list. ${reason}`

/**
 * Reports trouble until the projection has first caught up with the store, and whenever it cannot continue. Stand-by is
 * no trouble: another process does the work.
 */
export const projectionStatus = (projection: RunningProjection) => {
  let wasLive = false
  projection.whenLive().then(
    () => {
      wasLive = true
    },
    () => undefined, // status() says why it stopped
  )
  return async () => {
    const status = projection.status()
    const { state, position, reason, event, restarts, rebuildNeeded, parked } = status
    wasLive ||= state === 'live'
    const isReady = wasLive || state === 'standing by'
    return {
      trouble: stoppedTrouble(status) ?? reason ?? (isReady ? parkedTrouble(parked) : `The read model is ${state}.`),
      serves: reason === undefined && isReady,
      // It waits for an operator: the history differs, or it stopped at an event.
      ended: state === 'stopped',
      state,
      position: formatPosition(position),
      // Not during an outage: the question would only delay the answer.
      lagMs: hasLag(status) ? await projection.lagMs() : undefined,
      restarts,
      rebuildNeeded,
      event: event && named(event),
      parked: parked.length,
      deadLetters: parked.filter(isDeadLetter).length,
    }
  }
}

type Projections = Readonly<Record<string, RunningProjection>>
type Sample = { readonly labels: { readonly projection: string }; readonly value: number }
type Gauge = (name: string, help: string, read: () => Promise<readonly Sample[]>) => void

/** Registers the projections' metrics. */
export const measureProjections = (gauge: Gauge, projections: Projections): void => {
  const each = async (read: (projection: RunningProjection) => Promise<number | undefined> | number | undefined) => {
    const samples = Object.entries(projections).map(async ([projection, running]) => {
      const value = await read(running)
      return value === undefined ? [] : [{ labels: { projection }, value }]
    })
    return (await Promise.all(samples)).flat()
  }
  gauge('projection_lag_seconds', 'Age of the oldest event that is not yet in the read model.', () =>
    each(async ({ status, lagMs }) => (hasLag(status()) ? (await lagMs()) / 1_000 : undefined)),
  )
  gauge('projection_parked_streams', 'Events that could not be projected and wait, each with its stream.', () =>
    each(({ status }) => status().parked.length),
  )
  gauge('projection_dead_letters', 'Events that could be neither projected nor parked.', () =>
    each(({ status }) => status().parked.filter(isDeadLetter).length),
  )
  gauge('projection_stopped', '1 when it stands still until an operator acts.', () =>
    each(({ status }) => Number(status().state === 'stopped')),
  )
  gauge('projection_events', 'Events that this process has projected.', () => each(({ status }) => status().handled))
}
