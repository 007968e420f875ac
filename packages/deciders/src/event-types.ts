// What a context's streams may hold: a schema a type, and what turns other versions of a type's shape into the one the code knows.
import type { z } from 'zod'

/** Turns the data of one version of a shape into that of another. Pure, and never fails: what it is given was stored. */
export type Upcast = (data: never) => object

/** Of a type whose shape has changed, or is about to. */
export type Upcasts = {
  /** The version that the schema describes and the code writes. */
  readonly to: number
  /** By version: older ones, and a newer one that the next release will write (docs/evolving-events.md). */
  readonly from: Readonly<Record<number, Upcast>>
}

/** Both together: whoever had the types without the upcasts would misread what is stored. */
export type EventTypes<Type extends string = string> = {
  readonly schemas: Readonly<Record<Type, unknown>>
  /** A type that is not named here has one version, 1. */
  readonly upcasts: { readonly [Of in Type]?: Upcasts }
}

/** The events of those types, as the code knows them. */
export type EventOf<Types extends { readonly schemas: Readonly<Record<string, z.ZodType<object>>> }> = {
  [Type in keyof Types['schemas'] & string]: { type: Type; data: z.infer<Types['schemas'][Type]> }
}[keyof Types['schemas'] & string]
