// A bounded context as the engine knows it.
import type { EventTypes } from './event-types.ts'
import type { Reaction } from './reaction.ts'

export type Context = {
  /** Also the name of its folder in every room. */
  readonly name: string
  readonly streams: readonly { readonly category: string; readonly events: EventTypes }[]
  readonly reactions?: readonly Reaction[]
}

export const context = (described: Context): Context => described
