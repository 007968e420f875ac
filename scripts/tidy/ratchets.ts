// Ratchets: numbers that may only fall. What has fallen is recorded; what has risen is a finding.
import type { Counts } from './measures.ts'

export type Recorded = Readonly<Record<string, Counts>>

export type Compared = {
  /** One sentence a number that has risen. */
  readonly risen: readonly string[]
  /** One sentence a number that is lower than recorded. */
  readonly fallen: readonly string[]
}

export const compare = (recorded: Recorded, found: Recorded): Compared => {
  const risen: string[] = []
  const fallen: string[] = []
  for (const [measure, counts] of Object.entries(found)) {
    const before = recorded[measure] ?? {}
    for (const place of new Set([...Object.keys(before), ...Object.keys(counts)])) {
      const [was, is] = [before[place] ?? 0, counts[place] ?? 0]
      if (is > was) risen.push(`${place}: ${is} ${measure}, ${was} before`)
      if (is < was) fallen.push(`${place}: ${is} ${measure}, ${was} before`)
    }
  }
  return { risen, fallen }
}

/** What is recorded from now on: never more than before. */
export const lowered = (recorded: Recorded, found: Recorded): Recorded =>
  Object.fromEntries(
    Object.entries(found).map(([measure, counts]) => [
      measure,
      Object.fromEntries(
        Object.entries(counts)
          .map(([place, is]): [string, number] => [place, Math.min(is, recorded[measure]?.[place] ?? 0)])
          .filter(([, number]) => number > 0)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    ]),
  )
