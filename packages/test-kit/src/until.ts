// Waiting for a state, with a limit.
import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until `check` holds. The deadline is a limit, not a measurement. */
export const until = async (what: string, check: () => boolean | Promise<boolean>, deadlineMs = 30_000) => {
  const deadline = Date.now() + deadlineMs
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`Still waiting after ${deadlineMs} ms: ${what}`)
    await sleep(20)
  }
}
