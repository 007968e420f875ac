// Chance that can be repeated: the same seed gives the same numbers.

export type Chance = {
  /** From 0 up to, not including, 1. */
  readonly fraction: () => number
  readonly pick: <Item>(items: readonly Item[]) => Item
  /** A whole number from `min` to `max`, both included. */
  readonly between: (min: number, max: number) => number
}

/** Mulberry32: small, and good enough for choosing faults. */
export const chanceFrom = (seed: number): Chance => {
  let state = seed >>> 0
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (min: number, max: number) => min + Math.floor(fraction() * (max - min + 1))
  return {
    fraction,
    between,
    pick: (items) => {
      const item = items[between(0, items.length - 1)]
      if (item === undefined) throw new Error('There is nothing to pick from.')
      return item
    },
  }
}
