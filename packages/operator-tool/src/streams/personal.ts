// Shows what events hold without what belongs to a person, as their schemas mark it.
import { contexts } from '@headwater/deciders/contexts'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventTypes } from '@headwater/deciders/event-types'
import { createCodec, type StoredEvent } from '@headwater/eventstore/codec'
import { categoryOf } from '@headwater/eventstore/stream-name'
import { z } from 'zod'

/** What stands for a value that is not shown. */
export const hidden = { personal: '(personal)', unknown: '(not known here)' } as const

const eventTypes: ReadonlyMap<string, EventTypes> = new Map(
  contexts.flatMap(({ streams }) => streams.map(({ category, events }) => [category, events] as const)),
)

export const knownCategories: readonly string[] = [...eventTypes.keys()]

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const inside = (schema: z.core.$ZodType): z.core.$ZodType => {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return inside(schema.unwrap())
  return schema instanceof z.ZodReadonly ? inside(schema.unwrap()) : schema
}

const isPersonal = (schema: z.core.$ZodType): boolean => z.globalRegistry.get(schema)?.personal === true

/** What no schema describes may be anything, and is not shown. */
const shown = (schema: z.core.$ZodType | undefined, value: unknown): unknown => {
  if (!schema) return hidden.unknown
  const within = inside(schema)
  if (isPersonal(schema) || isPersonal(within)) return value === null ? null : hidden.personal
  if (within instanceof z.ZodObject && isObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shown(within.shape[name], one)]))
  if (within instanceof z.ZodArray && Array.isArray(value)) return value.map((one) => shown(within.element, one))
  if (within instanceof z.ZodRecord && isObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shown(within.valueType, one)]))
  // Of the wrong shape, it may hold what the schema would have marked.
  return isObject(value) || Array.isArray(value) ? hidden.unknown : value
}

/** An event's data in today's shape, without personal fields; of an event that this version does not know, nothing. */
export const shownData = (stored: StoredEvent): unknown => {
  const events = eventTypes.get(categoryOf(stored.stream))
  if (!events) return hidden.unknown
  const codec = createCodec<DomainEvent>({ events })
  if (!codec.knows(stored)) return hidden.unknown
  return shown(events.schemas[stored.type] as z.ZodType | undefined, codec.decode(stored).data)
}
