// Defines a bounded context for the engine.
import type { Api } from './api.ts'
import type { EventTypes } from './event-types.ts'
import type { Process } from './process.ts'
import type { Reaction } from './reaction.ts'
import type { Schedule } from './schedule.ts'

export type Context = {
  /** Also the name of its folders. */
  readonly name: string
  /** The service that decides its commands, with its default port. */
  readonly service?: { readonly name: string; readonly port: number }
  readonly streams: readonly { readonly category: string; readonly events: EventTypes; readonly snapshot?: object }[]
  readonly api?: Api
  readonly reactions?: readonly Reaction[]
  readonly processes?: readonly Process[]
  readonly schedules?: readonly Schedule[]
}

export const context = <const Described extends Context>(described: Described): Described => described
