// Limits concurrency: at most `slotsMax` at once, the others wait in order.

/** Runs `work` when a slot is free. */
export type Limited = <Result>(work: () => Promise<Result>) => Promise<Result>

export const limitTo = (slotsMax: number): Limited => {
  const waiting: (() => void)[] = []
  let free = slotsMax
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The slot goes directly to the longest waiting caller, so that no new caller can take it.
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
