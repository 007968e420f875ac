// Decides which events of $all a reader wants, once for each stream name or event type instead of once for each event (§2.9).

import type { Names } from '../store/names.ts'
import type { Place } from '../store/pages.ts'
import { type FilterOptions, InvalidRead } from './read-request.ts'
import { createMatcher, UnusableRegex } from './regex/match.ts'
import { parseRegex } from './regex/parse.ts'

// The answers of the most recent names; past this number the filter starts afresh.
const answersMax = 200_000
// About a tenth of a second.
const stepsOfPageMax = 10_000_000

type Test = (names: string[]) => boolean[]

const invalid = <Value>(attempt: () => Value): Value => {
  try {
    return attempt()
  } catch (error) {
    if (!(error instanceof UnusableRegex)) throw error
    throw new InvalidRead(`The filter's regular expression cannot be used: ${error.message}`)
  }
}

const regexTest = (source: string): Test => {
  const matches = invalid(() => createMatcher(parseRegex(source)))
  return (names) => {
    const work = { left: stepsOfPageMax }
    return invalid(() => names.map((name) => matches(name, work)))
  }
}

const prefixTest =
  (prefixes: string[]): Test =>
  (names) =>
    names.map((name) => prefixes.some((prefix) => name.startsWith(prefix)))

export type Filter = (places: Place[]) => (place: Place) => boolean

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
      const found = test(numbers.map(nameOf))
      for (const [index, number] of numbers.entries()) answers.set(number, found[index] === true)
    }
    return (place) => answers.get(place[column]) === true
  }
}
