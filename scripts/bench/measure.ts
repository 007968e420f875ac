// What a measure is: it runs something a few times and says what came out, beside what, and what was hoped for.
import type { Processes } from './processes.ts'

/** Figures of one thing, one a round, in the order of the rounds. */
export type Figures = readonly number[]

export type Spread = { readonly min: number; readonly median: number; readonly max: number }

export type Goal = { readonly of: 'ratio' | 'figure'; readonly atLeast?: number; readonly below?: number }

export type Result = {
  /** What was measured, in words that stand alone. */
  readonly what: string
  readonly unit: string
  readonly ours: Figures
  /** What it is compared with, measured in the same rounds. */
  readonly beside?: { readonly name: string; readonly figures: Figures; readonly trouble?: string | undefined }
  readonly goal?: Goal
  readonly note?: string | undefined
  /** What is thought to be the reason, said when the goal is missed; the profile beside it is what was measured. */
  readonly missedBecause?: string
}

/** What a measure gets to work with. */
export type Bench = {
  /** Which cases to run, by what they say they measure; the others may be skipped, and so may what they are beside. */
  readonly wanted: (what: string) => boolean
  /** Whether figures of others are wanted; a profile needs none. */
  readonly beside: boolean
  /** Small sizes, to try the bench itself. */
  readonly quick: boolean
  readonly rounds: number
  readonly processes: Processes
  /** A folder of this run on the disk of the checkout; removed at the end. */
  readonly directory: string
  /** The address of a new database in a durable PostgreSQL of this run. */
  readonly newDatabase: () => Promise<string>
  /** Why the peers cannot be had; undefined when they are installed. */
  readonly peersMissing: () => string | undefined
  readonly say: (text: string) => void
}

export type Measure = {
  readonly name: string
  readonly title: string
  /** How it is measured, for the reader of docs/benchmarks.md. */
  readonly how: string
  readonly run: (bench: Bench) => Promise<readonly Result[]>
}

export const spreadOf = (figures: Figures): Spread => {
  const sorted = figures.toSorted((a, b) => a - b)
  const at = (place: number) => sorted[Math.floor(place)] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return { min: at(0), median: (at(middle) + at(middle + 0.5)) / 2, max: at(sorted.length - 1) }
}

/** One ratio a round: noise that lasts hits both sides of it. */
export const ratiosOf = ({ ours, beside }: Result): Figures =>
  (beside?.figures ?? []).flatMap((other, round) => {
    const figure = ours[round]
    return figure !== undefined && figure > 0 && other > 0 ? [figure / other] : []
  })

export type Verdict = 'met' | 'MISSED' | 'not measured'

export const verdictOn = (result: Result): Verdict | undefined => {
  const { goal } = result
  if (!goal) return undefined
  const { median } = spreadOf(goal.of === 'ratio' ? ratiosOf(result) : result.ours)
  if (Number.isNaN(median)) return 'not measured'
  const missed =
    median < (goal.atLeast ?? Number.NEGATIVE_INFINITY) || median >= (goal.below ?? Number.POSITIVE_INFINITY)
  return missed ? 'MISSED' : 'met'
}

/** Runs each side once a round, in turns: A B A B, so that what disturbs the machine disturbs all of them. */
export const inTurns = async <Side extends string>(
  rounds: number,
  sides: Readonly<Record<Side, () => Promise<number>>>,
): Promise<Record<Side, number[]>> => {
  const names = Object.keys(sides) as Side[]
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Side, number[]>
  for (let round = 0; round < rounds; round++) for (const name of names) figures[name].push(await sides[name]())
  return figures
}
