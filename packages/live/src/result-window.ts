// The first rows of one live query, kept in step with the change feed without reading the rows again.

/** Which rows a live query is about, in which order, and what its viewer may see of them. */
export type View<Row> = {
  readonly matches: (row: Row) => boolean
  readonly key: (row: Row) => string
  /** The order of the query, in which no two rows are equal: negative when `a` comes first. */
  readonly compare: (a: Row, b: Row) => number
  /** JSON of the row without the fields that the viewer may not see. */
  readonly show: (row: Row) => string
}

export type RowChange<Row> = { readonly key: string; readonly after: Row | null }

/** For each row that changes in the client's rows, the JSON that says how. Of several for one row the last is enough. */
export type Ops = ReadonlyMap<string, string>

export type ResultWindowLimits = {
  /** Rows that a client is shown. */
  readonly rowsMax: number
  /** Further rows, held to fill up from when shown ones leave. */
  readonly reserveMax: number
}

export type ResultWindow<Row> = {
  /** Takes the query's first rows in its order: `rowsMax + reserveMax` of them, or all when there are fewer. */
  readonly load: (rows: readonly Row[]) => Ops
  readonly apply: (changes: Iterable<RowChange<Row>>) => Ops
  /** Rows are missing that were never held: the window has to be loaded again. */
  readonly needsReload: () => boolean
  /** What a client has to change that knows all rows but those of `keys`; undefined when only a snapshot helps. */
  readonly since: (keys: ReadonlySet<string>) => Ops | undefined
  /** JSON of each row shown, in the query's order. */
  readonly rows: () => string[]
}

type Entry<Row> = { readonly key: string; readonly row: Row; readonly json: string }

const upsert = ({ key, json }: { key: string; json: string }): string =>
  `{"op":"upsert","key":${JSON.stringify(key)},"row":${json}}`
const remove = (key: string): string => `{"op":"remove","key":${JSON.stringify(key)}}`

export const createResultWindow = <Row>(
  view: View<Row>,
  { rowsMax, reserveMax }: ResultWindowLimits,
): ResultWindow<Row> => {
  const heldMax = rowsMax + reserveMax
  let held: Entry<Row>[] = []
  let byKey = new Map<string, Entry<Row>>()
  /** Whether every matching row is held; when not, the held ones are those before all others. */
  let complete = true

  const entryOf = (row: Row): Entry<Row> => ({ key: view.key(row), row, json: view.show(row) })

  /** Where `entry` is, or belongs. */
  const placeOf = (entry: Entry<Row>): number => {
    let low = 0
    let high = held.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (view.compare((held[middle] as Entry<Row>).row, entry.row) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  const take = (entry: Entry<Row>): number => {
    const place = placeOf(entry)
    held.splice(place, 1)
    byKey.delete(entry.key)
    return place
  }

  /** The place `entry` now has; `heldMax` or more when it is not held. */
  const put = (entry: Entry<Row>): number => {
    const place = placeOf(entry)
    if (place === held.length && !complete) return heldMax
    held.splice(place, 0, entry)
    byKey.set(entry.key, entry)
    if (held.length > heldMax) {
      byKey.delete((held.pop() as Entry<Row>).key)
      complete = false
    }
    return place
  }

  const applyOne = ({ key, after }: RowChange<Row>, ops: Map<string, string>): void => {
    const before = byKey.get(key)
    const now = after !== null && view.matches(after) ? entryOf(after) : undefined
    const wasShown = before !== undefined && take(before) < rowsMax
    const isShown = now !== undefined && put(now) < rowsMax
    if (isShown && !(wasShown && now.json === before.json)) ops.set(key, upsert(now))
    if (wasShown && !isShown) {
      ops.set(key, remove(key))
      const movedUp = held[rowsMax - 1]
      if (movedUp) ops.set(movedUp.key, upsert(movedUp))
    }
    if (isShown && !wasShown) {
      const movedDown = held[rowsMax]
      if (movedDown) ops.set(movedDown.key, remove(movedDown.key))
    }
  }

  const load = (rows: readonly Row[]): Ops => {
    const ops = new Map<string, string>()
    const shownBefore = new Map(held.slice(0, rowsMax).map(({ key, json }) => [key, json]))
    held = rows.map(entryOf)
    byKey = new Map(held.map((entry) => [entry.key, entry]))
    complete = held.length < heldMax
    for (const entry of held.slice(0, rowsMax)) {
      if (shownBefore.get(entry.key) !== entry.json) ops.set(entry.key, upsert(entry))
      shownBefore.delete(entry.key)
    }
    for (const key of shownBefore.keys()) ops.set(key, remove(key))
    return ops
  }

  const apply = (changes: Iterable<RowChange<Row>>): Ops => {
    const ops = new Map<string, string>()
    for (const change of changes) applyOne(change, ops)
    return ops
  }

  const since = (keys: ReadonlySet<string>): Ops | undefined => {
    const ops = new Map<string, string>()
    let gone = 0
    for (const key of keys) {
      const entry = byKey.get(key)
      if (!entry) gone += 1
      // Whether the client knows a row that is gone cannot be told: another node may have seen it match between two of our commits.
      ops.set(key, entry ? upsert(entry) : remove(key))
    }
    // Only while all matching rows were shown, then and now, do the changed rows alone tell what the client lacks.
    return complete && held.length + gone <= rowsMax ? ops : undefined
  }

  return {
    load,
    apply,
    needsReload: () => !complete && held.length < rowsMax,
    since,
    rows: () => held.slice(0, rowsMax).map((entry) => entry.json),
  }
}
