// The characters of .NET's classes and categories, and which characters are equal when case is ignored.
import type { Characters } from './match.ts'

export const codeUnits = 0x1_0000

// .NET matches UTF-16 code units, never whole code points.
/** One byte per code unit. */
export type CharacterSet = Uint8Array

const setWhere = (has: (code: number) => boolean): CharacterSet =>
  Uint8Array.from({ length: codeUnits }, (_, code) => (has(code) ? 1 : 0))
export const without = (set: CharacterSet, other: CharacterSet): CharacterSet =>
  set.map((has, code) => (other[code] ? 0 : has))
export const complement = (set: CharacterSet): CharacterSet => set.map((has) => 1 - has)

export const charactersOf = (set: CharacterSet): Characters => {
  const pairs: number[] = []
  for (let from = set.indexOf(1); from >= 0; ) {
    const after = set.indexOf(0, from)
    const last = (after < 0 ? codeUnits : after) - 1
    pairs.push(from, last)
    from = set.indexOf(1, last + 1)
  }
  return Uint16Array.from(pairs)
}

const remembering = <Value>(make: (key: string) => Value): ((key: string) => Value) => {
  const known = new Map<string, Value>()
  return (key) => {
    const value = known.get(key) ?? make(key)
    known.set(key, value)
    return value
  }
}

/** The characters of a JavaScript class with the flag `u`. */
export const classOf = remembering((source: string): CharacterSet => {
  const regex = new RegExp(`[${source}]`, 'u')
  return setWhere((code) => regex.test(String.fromCharCode(code)))
})

export const categories = new Set(
  'L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Cs Co Cn'.split(' '),
)
const word = '\\p{L}\\p{Mn}\\p{Nd}\\p{Pc}'
/** At word boundaries, and in names of groups, zero-width joiners count as letters. */
export const boundaryWord = `${word}\\u200c\\u200d`
const shorthands: Readonly<Record<string, string>> = { w: word, d: '\\p{Nd}', s: '\\t-\\r\\x85\\p{Z}' }
export const isShorthand = (letter: string): boolean => letter.toLowerCase() in shorthands
export const shorthandOf = (letter: string): CharacterSet => {
  const set = classOf(shorthands[letter.toLowerCase()] ?? '')
  return letter === letter.toLowerCase() ? set : complement(set)
}
export const charactersOfShorthand = remembering((letter) => charactersOf(shorthandOf(letter)))

/** Maps each code unit to all code units that differ from it only in case. */
export const casings = remembering((): ReadonlyMap<number, readonly number[]> => {
  const same = new Map<number, number[]>()
  for (let code = 0; code < codeUnits; code++) {
    const lower = String.fromCharCode(code).toLowerCase()
    const lowerCode = lower.charCodeAt(0)
    if (lower.length > 1 || lowerCode === code) continue
    const all = same.get(lowerCode) ?? [lowerCode]
    all.push(code)
    for (const each of all) same.set(each, all)
  }
  return same
})
