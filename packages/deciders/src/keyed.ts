// An immutable map: every change returns a new map, and older ones keep their entries.

/** A change copies only the list of buckets and one bucket. */
const bucketsCount = 256

export type Keyed<Value> = readonly (ReadonlyMap<string, Value> | undefined)[]

export const emptyKeyed: Keyed<never> = []

const bucketOf = (key: string): number => {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  return hash & (bucketsCount - 1)
}

export const valueAt = <Value>(keyed: Keyed<Value>, key: string): Value | undefined => keyed[bucketOf(key)]?.get(key)

/** The map with `value` at `key`; without the key when there is no value. */
export const withValue = <Value>(keyed: Keyed<Value>, key: string, value: Value | undefined): Keyed<Value> => {
  const bucket = bucketOf(key)
  const values = new Map(keyed[bucket])
  if (value === undefined) values.delete(key)
  else values.set(key, value)
  const changed = keyed.length === 0 ? Array.from<undefined>({ length: bucketsCount }) : keyed
  return changed.with(bucket, values)
}

/** The map of those entries, each key once. */
export const keyedOf = <Value>(entries: Iterable<readonly [string, Value]>): Keyed<Value> => {
  const buckets = Array.from<undefined, Map<string, Value> | undefined>({ length: bucketsCount }, () => undefined)
  for (const [key, value] of entries) {
    const bucket = bucketOf(key)
    buckets[bucket] = (buckets[bucket] ?? new Map()).set(key, value)
  }
  return buckets
}

export const entriesOf = <Value>(keyed: Keyed<Value>): readonly (readonly [string, Value])[] =>
  keyed.flatMap((values) => [...(values ?? [])])
