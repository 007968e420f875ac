// At most so many at once; the others wait in order.

/** Runs `work` when one of the places is free. */
export type Limited = <Result>(work: () => Promise<Result>) => Promise<Result>

export const limitTo = (placesMax: number): Limited => {
  const waiting: (() => void)[] = []
  let free = placesMax
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The place goes straight to whoever waits longest, so that nobody can slip in between.
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
