// The rows of a live query for a page: what the server rendered first, then every change, one picture a frame.
import { useEffect, useState } from 'react'
import { followLive, type LiveQuery, type LiveState } from './follow-live.ts'

export type LiveRows<Row> = {
  readonly rows: readonly Row[]
  readonly state: LiveState
  /** When the server last said something. */
  readonly heardAt: string | undefined
  /** Keys that have changed since the page was opened. */
  readonly changed: ReadonlySet<string>
}

export const useLiveRows = <Row>({ topic, filter, keyOf }: LiveQuery<Row>, initial: readonly Row[]): LiveRows<Row> => {
  const [state, setState] = useState<LiveState>('connecting')
  const [heardAt, setHeardAt] = useState<string>()
  const [told, setTold] = useState<Pick<LiveRows<Row>, 'rows' | 'changed'>>()
  const filterText = JSON.stringify(filter)

  useEffect(() => {
    let frame = 0
    let changed: ReadonlySet<string> = new Set()
    const stop = followLive(
      { topic, filter: filterText && JSON.parse(filterText), keyOf },
      {
        onState: setState,
        onHeard: () => setHeardAt(new Date().toISOString()),
        onRows: (rows, keys) => {
          changed = changed.union(new Set(keys))
          cancelAnimationFrame(frame)
          frame = requestAnimationFrame(() => setTold({ rows: [...rows.values()], changed }))
        },
      },
    )
    return () => {
      stop()
      setTold(undefined)
      cancelAnimationFrame(frame)
    }
  }, [topic, filterText, keyOf])

  return { rows: told?.rows ?? initial, changed: told?.changed ?? new Set(), state, heardAt }
}
