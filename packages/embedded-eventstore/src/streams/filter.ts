// Filters events of $all, with one test per stream name or event type instead of one per event.

import type { Names } from '../store/names.ts'
import type { Place } from '../store/pages.ts'
import { type FilterOptions, InvalidRead } from './read-request.ts'
import { createMatcher, UnusableRegex } from './regex/match.ts'
import { parseRegex } from './regex/parse.ts'

// Limit of cached answers; above it the cache is cleared.
const answersMax = 200_000
/** About a millisecond: other work runs before the next names are matched. */
const stepsOfTurnMax = 50_000

/** Returns answers for the first names only when the others would take too long. */
type Test = (names: string[]) => boolean[]

const parse = (source: string) => {
  try {
    return createMatcher(parseRegex(source))
  } catch (error) {
    if (!(error instanceof UnusableRegex)) throw error
    throw new InvalidRead(`The filter's regular expression cannot be used: ${error.message}`)
  }
}

const regexTest = (source: string): Test => {
  const matches = parse(source)
  return (names) => {
    const work = { steps: 0 }
    const found: boolean[] = []
    for (const name of names) {
      if (work.steps >= stepsOfTurnMax) break
      found.push(matches(name, work))
    }
    return found
  }
}

const prefixTest =
  (prefixes: string[]): Test =>
  (names) =>
    names.map((name) => prefixes.some((prefix) => name.startsWith(prefix)))

export type Decided = {
  /** The first places, at least one; the others are for a later turn. */
  readonly places: readonly Place[]
  readonly matches: (place: Place) => boolean
}
export type Filter = (places: readonly Place[]) => Decided

export const createFilter = ({ on, regex, prefixes }: FilterOptions, names: Names): Filter => {
  const test = regex === '' ? prefixTest(prefixes) : regexTest(regex)
  const column = on === 'stream name' ? 1 : 2
  const nameOf = on === 'stream name' ? names.streamName : names.typeName
  const answers = new Map<number, boolean>()

  return (places) => {
    if (answers.size > answersMax) answers.clear()
    const unknown = new Set<number>()
    for (const place of places) if (!answers.has(place[column])) unknown.add(place[column])
    if (unknown.size > 0) {
      const numbers = [...unknown]
      for (const [index, isMatch] of test(numbers.map(nameOf)).entries()) answers.set(numbers[index] as number, isMatch)
    }
    const undecided = places.findIndex((place) => !answers.has(place[column]))
    return {
      places: undecided < 0 ? places : places.slice(0, undecided),
      matches: (place) => answers.get(place[column]) === true,
    }
  }
}
