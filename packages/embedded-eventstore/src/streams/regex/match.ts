// Matches a text in linear time for any expression, by following all paths through the expression at once.

/** Pairs of the first and the last code unit of a range, in ascending order. */
export type Characters = Uint16Array

export type Regex =
  | { readonly kind: 'character'; readonly of: Characters }
  | { readonly kind: 'sequence'; readonly parts: readonly Regex[] }
  | { readonly kind: 'either'; readonly parts: readonly Regex[] }
  | { readonly kind: 'repeated'; readonly part: Regex; readonly least: number; readonly most: number }
  | { readonly kind: 'place'; readonly holds: (text: string, at: number) => boolean }
  | { readonly kind: 'look'; readonly isAhead: boolean; readonly isWanted: boolean; readonly part: Regex }

export class UnusableRegex extends Error {}

type Step =
  | { readonly kind: 'character'; readonly of: Characters }
  | { readonly kind: 'fork'; readonly to: number[] }
  | { readonly kind: 'place'; readonly holds: (text: string, at: number) => boolean }
  | { readonly kind: 'end' }
type Steps = readonly Step[]
type Look = { readonly steps: Steps; readonly isAhead: boolean; holdsAt: Uint8Array }

/** Counts the steps of matchers: at most {@link stepsMax} plus one per character of a text. */
export type Work = { steps: number }

/** A filter's expression has at most 2,048 characters, and as many steps without counted repetitions. */
const stepsMax = 2_500

const has = (characters: Characters, code: number): boolean => {
  let [low, high] = [0, characters.length / 2 - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    if (code < (characters[2 * middle] as number)) high = middle - 1
    else if (code > (characters[2 * middle + 1] as number)) low = middle + 1
    else return true
  }
  return false
}

/** Calls `end` with every index where a match ends, until `end` returns true. A match may start anywhere. */
const run = (steps: Steps, text: string, isBackwards: boolean, work: Work, end: (at: number) => boolean): void => {
  const seen = new Int32Array(steps.length)
  const open: number[] = []
  let waiting: number[] = []
  let hasEnded = false

  const follow = (first: number, at: number): void => {
    open.push(first)
    for (let number = open.pop(); number !== undefined; number = open.pop()) {
      if (seen[number] === at + 1) continue
      seen[number] = at + 1
      work.steps++
      const step = steps[number] as Step
      if (step.kind === 'character') waiting.push(number)
      else if (step.kind === 'fork') open.push(...step.to)
      else if (step.kind === 'end') hasEnded = true
      else if (step.holds(text, at)) open.push(number + 1)
    }
  }

  for (let read = 0; read <= text.length; read++) {
    const at = isBackwards ? text.length - read : read
    const before = waiting
    waiting = []
    if (read > 0) {
      const code = text.charCodeAt(isBackwards ? at : at - 1)
      for (const number of before) {
        const step = steps[number] as Step
        if (step.kind === 'character' && has(step.of, code)) follow(number + 1, at)
      }
    }
    follow(0, at)
    if (hasEnded && end(at)) return
    hasEnded = false
  }
}

/** @throws UnusableRegex when the expression is too large */
export const createMatcher = (regex: Regex): ((text: string, work: Work) => boolean) => {
  const looks: Look[] = []
  let written = 0

  const stepsOf = (whole: Regex, isBackwards: boolean): Steps => {
    const steps: Step[] = []
    const add = (step: Step): void => {
      if (++written > stepsMax) throw new UnusableRegex('It is too large: groups that are repeated count as often.')
      steps.push(step)
    }
    const fork = (): number[] => {
      const to: number[] = []
      add({ kind: 'fork', to })
      return to
    }
    const writeRepeated = ({ part, least, most }: Extract<Regex, { kind: 'repeated' }>): void => {
      for (let time = 0; time < least; time++) {
        const before = steps.length
        write(part)
        if (steps.length === before) return
      }
      const first = steps.length
      const skips: number[][] = []
      for (let time = least; time < most; time++) {
        const ways = fork()
        skips.push(ways)
        ways.push(steps.length)
        write(part)
        if (most < Number.POSITIVE_INFINITY) continue
        fork().push(first)
        break
      }
      for (const ways of skips) ways.push(steps.length)
    }
    const writeEither = (parts: readonly Regex[]): void => {
      const ways = fork()
      const ends = parts.map((part) => {
        ways.push(steps.length)
        write(part)
        return fork()
      })
      for (const to of ends) to.push(steps.length)
    }
    const write = (part: Regex): void => {
      if (part.kind === 'sequence') {
        for (const each of isBackwards ? part.parts.toReversed() : part.parts) write(each)
      } else if (part.kind === 'either') writeEither(part.parts)
      else if (part.kind === 'repeated') writeRepeated(part)
      else if (part.kind === 'look') {
        // Lookbehind is matched forwards up to each place, lookahead backwards from the end.
        const look: Look = { steps: stepsOf(part.part, part.isAhead), isAhead: part.isAhead, holdsAt: new Uint8Array() }
        looks.push(look)
        add({ kind: 'place', holds: (_, at) => (look.holdsAt[at] === 1) === part.isWanted })
      } else add(part)
    }
    write(whole)
    add({ kind: 'end' })
    return steps
  }

  const steps = stepsOf(regex, false)
  return (text, work) => {
    for (const look of looks) {
      const holdsAt = new Uint8Array(text.length + 1)
      run(look.steps, text, look.isAhead, work, (at) => {
        holdsAt[at] = 1
        return false
      })
      look.holdsAt = holdsAt
    }
    let matches = false
    run(steps, text, false, work, () => {
      matches = true
      return true
    })
    return matches
  }
}
