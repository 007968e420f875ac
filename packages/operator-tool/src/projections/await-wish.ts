// Follows what becomes of an operator's wish, for as long as somebody sees to it.
import { setTimeout as sleep } from 'node:timers/promises'
import { wishOf } from '@headwater/projections/operate/facts'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Wish } from '@headwater/projections/operate/wishes'
import type { Context } from '../command.ts'
import { self } from '../self.ts'

const pollMs = 200
/** Projectors look twice a second, and finish the batch in hand first. */
const seenToMsMax = 10_000

/** Once more, until `seen` gives something. */
export const poll = async <T>(
  { signal }: Pick<Context, 'signal'>,
  timeoutMs: number,
  seen: () => Promise<T | undefined>,
): Promise<T | 'too late' | 'interrupted'> => {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const found = await seen()
    if (found !== undefined) return found
    if (signal.aborted) return 'interrupted'
    if (performance.now() > deadline) return 'too late'
    await sleep(pollMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Resolves when a projector has taken the wish off the list. */
export const untilSeenTo = async (
  context: Pick<Context, 'signal'>,
  { wishes }: Follower,
  { kind, eventId }: Pick<Wish, 'kind' | 'eventId'>,
): Promise<'seen to' | 'too late' | 'interrupted'> =>
  poll(context, seenToMsMax, async () => {
    const stillThere = (await wishes.all()).some((one) => one.kind === kind && one.eventId === eventId)
    return stillThere ? undefined : 'seen to'
  })

/** Why nobody sees to a wish, as far as that shows. */
export const whyNotSeenTo = async (follower: Follower): Promise<string> => {
  const { name, service } = follower
  const pause = wishOf({ wishes: await follower.wishes.all() }, 'pause')
  if (pause) return `${name} is paused by ${pause.by}: ${self} projections resume ${name}.`
  if (!(await follower.isWritten())) return `No projector sees to it: is ${service} running?`
  return `${service} runs and has not seen to it yet: its log says why.`
}
