// Stores operator requests for a projection, in SQLite and in Postgres alike; the running projection applies them.
import { Rejection } from '@headwater/deciders/decider'
import { isWaiting } from '../model/parked.ts'
import type { Follower } from './followers.ts'
import type { Wish } from './wishes.ts'

type Asked = Pick<Follower, 'name' | 'wishes'>

/** Adds a request; returns the earlier request of the same kind and event, if there is one. */
const wish = async ({ wishes }: Asked, wanted: Wish): Promise<Wish | undefined> => {
  if (await wishes.add(wanted)) return undefined
  return (await wishes.all()).find(({ kind, eventId }) => kind === wanted.kind && eventId === wanted.eventId)
}

const waiting = async ({ name, parked }: Pick<Follower, 'name' | 'parked'>, eventId: string) => {
  if (!(await parked()).some((one) => one.event.id === eventId && isWaiting(one)))
    throw new Rejection('not_parked', `There is no such event parked in ${name}.`)
}

/** No event is processed until it is resumed. A second pause keeps the name of the first operator. */
export const pause = async (follower: Asked, by: string): Promise<void> => {
  await wish(follower, { kind: 'pause', eventId: '', by, at: new Date() })
}

export const resume = async ({ wishes }: Asked): Promise<void> => {
  await wishes.remove({ kind: 'pause', eventId: '' })
}

/**
 * Requests a rebuild from the first event, beside the current version.
 * @returns the rebuild already under way, if there is one
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

/** The unfinished copy stays until the next rebuild begins. */
export const stopRebuild = async ({ wishes }: Asked): Promise<void> => {
  await wishes.remove({ kind: 'rebuild', eventId: '' })
}

/** @throws Rejection `not_parked` */
export const retry = async (follower: Asked & Pick<Follower, 'parked'>, eventId: string, by: string): Promise<void> => {
  await waiting(follower, eventId)
  await wish(follower, { kind: 'retry', eventId, by, at: new Date() })
}

/**
 * @returns an earlier request for the same event, whose reason is kept
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
