// The system projections of a store, from its start to its end.
import type { Store } from '../store/store.ts'
import { systemProjections } from './catalogue.ts'
import { openProjection, type Projection } from './projection.ts'

/**
 * - `off`: there are none, and no Projections service.
 * - `stopped`: those run that somebody enabled and nobody disabled since, also before a restart.
 * - `running`: all are enabled at every start.
 */
export const projectionModes = ['off', 'stopped', 'running'] as const
export type ProjectionMode = (typeof projectionModes)[number]

export type Projections = ReturnType<typeof openProjections>

export const openProjections = (store: Store) => {
  const all = systemProjections.map((definition) => openProjection(store, definition))
  const together = async (act: (projection: Projection) => Promise<void>): Promise<void> => {
    await Promise.all(all.map(act))
  }
  return {
    all,
    find: (name: string): Projection | undefined => all.find((projection) => projection.name === name),
    start: (mode: ProjectionMode): Promise<void> =>
      together((projection) => (mode === 'running' ? projection.enable() : projection.resume())),
    restart: (): Promise<void> => together((projection) => projection.restart()),
    close: (): Promise<void> => together((projection) => projection.close()),
  }
}
