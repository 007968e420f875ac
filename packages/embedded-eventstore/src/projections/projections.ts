// Starts and stops the system projections of a store.
import type { Store } from '../store/store.ts'
import { systemProjections } from './catalogue.ts'
import { openProjection, type Projection } from './projection.ts'

/**
 * - `off`: no projections and no Projections service.
 * - `stopped`: only enabled projections run, also those enabled before a restart.
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
