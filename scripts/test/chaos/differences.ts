// Where two sets of things differ that should be the same, in a few lines: thousands of rows are not for reading.
import { isDeepStrictEqual } from 'node:util'

const shownMax = 10

/** By key. Empty when they are the same. */
export const differencesOf = (
  expected: ReadonlyMap<string, unknown>,
  found: ReadonlyMap<string, unknown>,
): readonly string[] => {
  const keys = new Set([...expected.keys(), ...found.keys()])
  return [...keys].flatMap((key) => {
    const [wanted, is] = [expected.get(key), found.get(key)]
    return isDeepStrictEqual(wanted, is) ? [] : [`${key}: expected ${JSON.stringify(wanted)}, is ${JSON.stringify(is)}`]
  })
}

/** @throws when there are any */
export const expectNone = (what: string, differences: readonly string[]): void => {
  if (differences.length === 0) return
  const shown = differences.slice(0, shownMax).join('\n  ')
  throw new Error(`${what}: ${differences.length} differences\n  ${shown}`)
}
