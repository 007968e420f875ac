// How long it takes until a stand-by works for one that was killed or stopped, as they say it by their health.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Part } from '@headwater/test-kit/system'
import type { World } from './world.ts'

const pollMs = 50
const askMsMax = 1_000
/** The lease lasts 3 s; the stand-by's own connections may be broken, too. */
const takeOverMsMax = 20_000
const working: readonly string[] = ['live', 'catching up']

/** Of each projection of the part; none while it does not answer. */
const statesOf = async (part: Part): Promise<readonly string[]> => {
  try {
    const answer = await fetch(`${part.url}/health/ready`, { signal: AbortSignal.timeout(askMsMax) })
    const { parts } = (await answer.json()) as { readonly parts: Readonly<Record<string, { readonly state?: string }>> }
    return Object.values(parts).flatMap(({ state }) => (state === undefined ? [] : [state]))
  } catch {
    return []
  }
}

/** Whoever stands by for `victim`; itself when that is the stand-by. */
const otherOf = ({ dashboardProjector, jobs, standBys }: World['system'], victim: Part): Part | undefined => {
  const pairs = [dashboardProjector, jobs].map((part, n) => [part, standBys[n]])
  return pairs.find((pair) => pair.includes(victim))?.find((part) => part !== victim)
}

/**
 * Ask before the fault, call the answer right after it: it waits until all is taken over, and counts how long that took.
 * @returns undefined where there is nothing to take over
 */
export const whenTakenOver = async (
  { system, tally }: World,
  victim: Part,
): Promise<((after: string) => Promise<void>) | undefined> => {
  const standBy = otherOf(system, victim)
  if (!standBy || !(await statesOf(victim)).some((state) => working.includes(state))) return undefined
  return async (after) => {
    const startedAt = performance.now()
    const elapsedMs = () => Math.round(performance.now() - startedAt)
    for (;;) {
      const states = await statesOf(standBy)
      if (states.length > 0 && states.every((state) => working.includes(state))) break
      if (elapsedMs() > takeOverMsMax)
        throw new Error(`${standBy.name} has not taken over from ${victim.name} after ${takeOverMsMax} ms: ${states}`)
      await sleep(pollMs)
    }
    tally.tookOver({ who: victim.name.replace(/ \d$/, ''), after, ms: elapsedMs() })
  }
}
