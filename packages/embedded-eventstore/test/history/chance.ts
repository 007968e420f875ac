// Chance that can be repeated: the same seed makes the same choices.

export type Chance = ReturnType<typeof chanceFrom>

/** Mulberry32: small, and good enough for choosing. */
export const chanceFrom = (seed: number) => {
  let state = seed >>> 0
  /** From 0 up to, not including, 1. */
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  /** A whole number from `min` to `max`, both included. */
  const between = (min: number, max: number): number => min + Math.floor(fraction() * (max - min + 1))
  const pick = <Item>(items: readonly Item[]): Item => items[between(0, items.length - 1)] as Item
  return { fraction, between, pick }
}
