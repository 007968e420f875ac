// As many actions at once as go, to find the full rate; then so many a second, whether or not the ones before are over.
import { setTimeout as sleep } from 'node:timers/promises'

const atOnce = 16
/** More wait than this: what is asked for is more than is done. */
const inFlightMax = 200
const failuresMax = 20

type Act = (n: number) => Promise<void>

/** @returns actions a second */
export const fullRate = async (act: Act, ms: number): Promise<number> => {
  const startedAt = performance.now()
  let begun = 0
  let done = 0
  const oneAfterTheOther = async () => {
    while (performance.now() - startedAt < ms) {
      await act(begun++)
      done++
    }
  }
  await Promise.all(Array.from({ length: atOnce }, oneAfterTheOther))
  return done / ((performance.now() - startedAt) / 1_000)
}

export type Held = { readonly done: number; readonly failures: readonly string[] }

/** @throws when it falls behind by {@link inFlightMax}, or more than {@link failuresMax} fail */
export const holdRate = async (act: Act, perSecond: number, ms: number): Promise<Held> => {
  const startedAt = performance.now()
  const failures: string[] = []
  const inFlight = new Set<Promise<void>>()
  let begun = 0
  for (;;) {
    const elapsedMs = performance.now() - startedAt
    if (elapsedMs >= ms) break
    for (const due = Math.floor((elapsedMs / 1_000) * perSecond); begun < due; ) {
      const one = act(begun++)
        .catch((error: unknown) => void failures.push(String(error)))
        .finally(() => inFlight.delete(one))
      inFlight.add(one)
    }
    if (inFlight.size > inFlightMax) throw new Error(`${inFlight.size} actions are under way: the load is too high.`)
    if (failures.length > failuresMax) throw new Error(`Too much fails, at first: ${failures[0]}`)
    await sleep(Math.min(1_000 / perSecond, 100))
  }
  await Promise.all(inFlight)
  return { done: begun - failures.length, failures }
}
