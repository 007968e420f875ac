// A bounded context as the engine knows it.
import type { EventTypes } from './event-types.ts'

export type Context = {
  /** Also the name of its folder in every room. */
  readonly name: string
  readonly streams: readonly { readonly category: string; readonly events: EventTypes }[]
}

export const context = <const Name extends string>(described: Context & { readonly name: Name }) => described
