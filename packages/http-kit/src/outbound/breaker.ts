// A circuit breaker: after failures in a row it refuses at once, and now and then lets one call find out whether all is well.

/** In a row; a success begins the count anew. */
export const failuresMax = 5
export const openMs = 5_000

export class BreakerOpen extends Error {
  override readonly name = 'BreakerOpen'
}

export type Breaker = {
  /** @throws BreakerOpen without doing the work, or what the work throws */
  readonly call: <Result>(work: () => Promise<Result>) => Promise<Result>
  readonly isOpen: () => boolean
}

/**
 * @param nowMs a clock that never goes back
 * @param isFailure false for errors that the other side means as an answer: whoever refuses is well
 */
export const createBreaker = (nowMs: () => number, isFailure: (error: unknown) => boolean = () => true): Breaker => {
  let failures = 0
  let openUntilMs = 0
  const isOpen = () => failures >= failuresMax
  return {
    isOpen,
    call: async (work) => {
      if (isOpen()) {
        if (nowMs() < openUntilMs) throw new BreakerOpen(`No call for ${openMs} ms after ${failuresMax} failures.`)
        // This call finds out; until it has, all others are refused.
        openUntilMs = nowMs() + openMs
      }
      try {
        const result = await work()
        failures = 0
        return result
      } catch (error) {
        failures = isFailure(error) ? failures + 1 : 0
        if (isOpen()) openUntilMs = nowMs() + openMs
        throw error
      }
    },
  }
}
