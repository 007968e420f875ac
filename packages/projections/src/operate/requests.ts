// What an operator asks of a follower, as wishes: the same for those in SQLite and in Postgres. Whoever follows sees to them.
import { Rejection } from '@headwater/deciders/decider'
import { isWaiting } from '../model/parked.ts'
import type { Follower } from './followers.ts'
import type { Wish } from './wishes.ts'

type Asked = Pick<Follower, 'name' | 'wishes'>

/** Adds a wish. The one that stands in its way, which may be the same one of earlier; undefined when there is none. */
const wish = async ({ wishes }: Asked, wanted: Wish): Promise<Wish | undefined> => {
  if (await wishes.add(wanted)) return undefined
  return (await wishes.all()).find(({ kind, eventId }) => kind === wanted.kind && eventId === wanted.eventId)
}

const waiting = async ({ name, parked }: Pick<Follower, 'name' | 'parked'>, eventId: string) => {
  if (!(await parked()).some((one) => one.event.id === eventId && isWaiting(one)))
    throw new Rejection('not_parked', `There is no such event parked in ${name}.`)
}

/** No event is processed until it is resumed. The operator who paused it first stays named. */
export const pause = async (follower: Asked, by: string): Promise<void> => {
  await wish(follower, { kind: 'pause', eventId: '', by, at: new Date() })
}

export const resume = async ({ wishes }: Asked): Promise<void> => {
  await wishes.remove({ kind: 'pause', eventId: '' })
}

/**
 * Has it built again from the first event on, beside the rows that serve.
 * @returns the rebuild that is under way already, if there is one
 * @throws Rejection `not_rebuildable`
 */
export const rebuild = async (
  follower: Asked & Pick<Follower, 'canBeRebuilt'>,
  by: string,
): Promise<Wish | undefined> => {
  if (!follower.canBeRebuilt)
    throw new Rejection('not_rebuildable', 'Jobs are not built again: what they did outside would be done again.')
  return wish(follower, { kind: 'rebuild', eventId: '', by, at: new Date() })
}

/** What was built stays until the next rebuild begins. */
export const stopRebuild = async ({ wishes }: Asked): Promise<void> => {
  await wishes.remove({ kind: 'rebuild', eventId: '' })
}

/** @throws Rejection `not_parked` */
export const retry = async (follower: Asked & Pick<Follower, 'parked'>, eventId: string, by: string): Promise<void> => {
  await waiting(follower, eventId)
  await wish(follower, { kind: 'retry', eventId, by, at: new Date() })
}

/**
 * @returns who asked for it earlier, with their reason, which stands
 * @throws Rejection `not_parked`
 */
export const skip = async (
  follower: Asked & Pick<Follower, 'parked'>,
  eventId: string,
  { by, reason }: { readonly by: string; readonly reason: string },
): Promise<Wish | undefined> => {
  await waiting(follower, eventId)
  return wish(follower, { kind: 'skip', eventId, reason, by, at: new Date() })
}
