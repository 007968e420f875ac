// Holds a list still while somebody reads or points at it; tells how many rows have come and gone meanwhile.
import { useState } from 'react'

export type HeldRows<Row> = {
  readonly rows: readonly Row[]
  readonly arrived: number
  /** Rows that are still shown although they have left the list. */
  readonly left: ReadonlySet<string>
  readonly release: () => void
}

type HoldOptions<Row> = {
  readonly keyOf: (row: Row) => string
  readonly isHeld: boolean
  /** What the list answers: another question is answered at once. */
  readonly query: string
}

export const useHeldRows = <Row>(latest: readonly Row[], { keyOf, isHeld, query }: HoldOptions<Row>): HeldRows<Row> => {
  const [held, setHeld] = useState<{ readonly rows: readonly Row[]; readonly query: string }>()
  if (isHeld && held?.query !== query) setHeld({ rows: latest, query })
  if (!isHeld && held) setHeld(undefined)
  const rows = held?.query === query ? held.rows : latest
  const latestKeys = new Set(latest.map(keyOf))
  const shownKeys = new Set(rows.map(keyOf))
  return {
    rows,
    arrived: latestKeys.difference(shownKeys).size,
    left: shownKeys.difference(latestKeys),
    release: () => setHeld({ rows: latest, query }),
  }
}
