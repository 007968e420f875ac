// Random choices that a seed repeats.

export type Chance = ReturnType<typeof chanceFrom>

/** Mulberry32: small, and good enough for choices. */
export const chanceFrom = (seed: number) => {
  let state = seed >>> 0
  /** From 0 to 1, exclusive. */
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  /** An integer from `min` to `max`, inclusive. */
  const between = (min: number, max: number): number => min + Math.floor(fraction() * (max - min + 1))
  const pick = <Item>(items: readonly Item[]): Item => items[between(0, items.length - 1)] as Item
  return { fraction, between, pick }
}
