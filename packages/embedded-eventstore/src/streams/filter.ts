// Decides which events of $all a reader wants, once for each stream name or event type instead of once for each event (§2.9).
import { createContext, Script } from 'node:vm'
import type { Names } from '../store/names.ts'
import type { Place } from '../store/pages.ts'
import { translateRegex } from './dotnet-regex.ts'
import { type FilterOptions, InvalidRead } from './read-request.ts'

// The answers of the most recent names; past this number the filter starts afresh.
const answersMax = 200_000
const guardedMatchMaxMs = 200

type Test = (names: string[]) => boolean[]

const parseRegex = (source: string): RegExp => {
  try {
    return new RegExp(translateRegex(source))
  } catch (error) {
    throw new InvalidRead(
      `The filter's regular expression cannot be used: ${error instanceof Error ? error.message : error}`,
    )
  }
}

const guard = new Script('names.map((name) => regex.test(name))')

// Two or more quantifiers can take exponential time. Only a virtual machine's time limit can end a match that has begun.
const regexTest = (source: string): Test => {
  const regex = parseRegex(source)
  const quantifiers = source.match(/[*+{?]/g)?.length ?? 0
  if (quantifiers < 2) return (names) => names.map((name) => regex.test(name))
  const context = createContext({ regex, names: [] })
  return (names) => {
    context.names = names
    try {
      return guard.runInContext(context, { timeout: guardedMatchMaxMs })
    } catch {
      throw new InvalidRead(`The filter's regular expression takes longer than ${guardedMatchMaxMs} ms on a name.`)
    }
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
