// How the rows of a live query follow the change feed: changed in place where they are rows of one table, read again where they join several.
import type { Change, RowChange } from '@headwater/projections/model/changes'
import type { Row } from '@headwater/projections/model/read-model'
import { createResultWindow, type Ops } from './result-window.ts'
import type { JoinedView, LiveView, WindowView } from './topic.ts'

/** The most rows that a live query over one table shows. */
export const liveRowsMax = 1_000
const liveRowsReserve = 250
/** The most rows that a live query over several tables shows. */
export const joinedRowsMax = 200
/** Between two runs of one joined query. */
const runEveryMs = 100
/** Until a change of a table that is joined only for names is shown. */
const namesEveryMs = 10_000

export type LiveResult = {
  /** How many of the first rows have to be read. */
  readonly rowsRead: number
  readonly load: (rows: readonly Row[]) => Ops
  readonly apply: (changes: readonly Change[]) => Ops
  /** Milliseconds until the rows have to be read again; undefined while they are up to date. */
  readonly dueInMs: () => number | undefined
  /** What a client lacks that had all rows before these changes; undefined when only a snapshot helps. */
  readonly since: (changes: readonly Change[]) => Ops | undefined
  /** JSON of each row shown, in the query's order. */
  readonly rows: () => string[]
}

const isRowChange = (change: Change): change is RowChange => 'key' in change

const openWindow = ({ view, table, canSee }: WindowView): LiveResult => {
  const window = createResultWindow(view, { rowsMax: liveRowsMax, reserveMax: liveRowsReserve })
  let isUnknown = false
  const changed = (changes: readonly Change[]) => {
    const ofTable = changes.filter((change) => change.table === table)
    const rows = ofTable.filter(isRowChange)
    return { rows, isUnknown: rows.length < ofTable.length }
  }
  const isSeen = ({ after, before }: RowChange) => !canSee || [after, before].some((row) => row && canSee(row))
  return {
    rowsRead: liveRowsMax + liveRowsReserve,
    load: (rows) => {
      isUnknown = false
      return window.load(rows)
    },
    apply: (changes) => {
      const { rows, isUnknown: ofMany } = changed(changes)
      isUnknown ||= ofMany
      return window.apply(rows)
    },
    dueInMs: () => (isUnknown || window.needsReload() ? 0 : undefined),
    since: (changes) => {
      const { rows, isUnknown } = changed(changes)
      // Whom a removed row concerned is not known here: this viewer may have it, and would not hear of its removal.
      const isNobodys = rows.some((change) => !change.after && !change.before && !isSeen(change))
      if (isUnknown || isNobodys) return undefined
      return window.since(new Set(rows.filter(isSeen).map(({ key }) => key)))
    },
    rows: window.rows,
  }
}

const openJoined = ({ view, key, tables, names }: JoinedView): LiveResult => {
  const window = createResultWindow(view, { rowsMax: joinedRowsMax, reserveMax: 0 })
  let ranAtMs = 0
  let dueAtMs = Number.POSITIVE_INFINITY
  const isOfKey = (change: Change): boolean => {
    const column = tables[change.table]
    if (column === undefined) return false
    if (!isRowChange(change) || change.before === undefined) return true
    return [change.after, change.before].some((row) => row?.[column] === key)
  }
  const isOfNames = (change: Change): boolean => names.includes(change.table)
  return {
    rowsRead: joinedRowsMax,
    load: (rows) => {
      ranAtMs = performance.now()
      dueAtMs = Number.POSITIVE_INFINITY
      return window.load(rows)
    },
    apply: (changes) => {
      if (changes.some(isOfKey)) dueAtMs = Math.min(dueAtMs, ranAtMs + runEveryMs)
      else if (changes.some(isOfNames)) dueAtMs = Math.min(dueAtMs, ranAtMs + namesEveryMs)
      return new Map()
    },
    dueInMs: () => (dueAtMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, dueAtMs - performance.now())),
    since: (changes) => (changes.some((change) => isOfKey(change) || isOfNames(change)) ? undefined : new Map()),
    rows: window.rows,
  }
}

export const openResult = (live: LiveView): LiveResult => ('tables' in live ? openJoined(live) : openWindow(live))
