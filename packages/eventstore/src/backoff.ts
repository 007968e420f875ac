// Waiting between tries: doubling, capped, and jittered so that many clients do not come back at once.
import { setTimeout as sleep } from 'node:timers/promises'

export type Backoff = { readonly delayMsMin: number; readonly delayMsMax: number }

/** How long to wait after `failures` failed tries in a row (1 or more), in milliseconds: half fixed, half chance. */
export const delayMsAfter = (failures: number, { delayMsMin, delayMsMax }: Backoff): number => {
  const delayMs = Math.min(delayMsMax, delayMsMin * 2 ** (failures - 1))
  return delayMs / 2 + (Math.random() * delayMs) / 2
}

/** Waits as {@link delayMsAfter} says, or until the signal aborts, whichever is sooner. */
export const waitAfter = async (failures: number, backoff: Backoff, signal?: AbortSignal): Promise<void> => {
  await sleep(delayMsAfter(failures, backoff), undefined, signal ? { signal } : {}).catch(() => undefined)
}
