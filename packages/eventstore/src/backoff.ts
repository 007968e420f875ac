// Waits between attempts: doubling, capped, and jittered so that many clients do not return at once.
import { setTimeout as sleep } from 'node:timers/promises'

export type Backoff = { readonly delayMsMin: number; readonly delayMsMax: number }

/** The delay after `failures` failed attempts in a row (1 or more): half fixed, half random. */
export const delayMsAfter = (failures: number, { delayMsMin, delayMsMax }: Backoff): number => {
  const delayMs = Math.min(delayMsMax, delayMsMin * 2 ** (failures - 1))
  return delayMs / 2 + (Math.random() * delayMs) / 2
}

/** Waits for {@link delayMsAfter} milliseconds, or until the signal aborts. */
export const waitAfter = async (failures: number, backoff: Backoff, signal?: AbortSignal): Promise<void> => {
  await sleep(delayMsAfter(failures, backoff), undefined, signal ? { signal } : {}).catch(() => undefined)
}
