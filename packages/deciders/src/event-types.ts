// The event types of a stream: one schema per type, and upcasts from other versions of its shape.
import type { z } from 'zod'

/** Converts the data of one version of a shape to another. Pure, and never fails: its input was stored. */
export type Upcast = (data: never) => object

/** For a type whose shape has changed, or will change. */
export type Upcasts = {
  /** The version that the schema describes and the code writes. */
  readonly to: number
  /** By version: older ones, and a newer one that the next release will write (docs/evolving-events.md). */
  readonly from: Readonly<Record<number, Upcast>>
}

/** Schemas together with upcasts, without which stored events would be misread. */
export type EventTypes<Type extends string = string> = {
  readonly schemas: Readonly<Record<Type, unknown>>
  /** Types without an entry have only version 1. */
  readonly upcasts: { readonly [Of in Type]?: Upcasts }
}

/** The union of the events in today's shapes. */
export type EventOf<Types extends { readonly schemas: Readonly<Record<string, z.ZodType<object>>> }> = {
  [Type in keyof Types['schemas'] & string]: { type: Type; data: z.infer<Types['schemas'][Type]> }
}[keyof Types['schemas'] & string]
