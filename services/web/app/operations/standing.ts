// How a follower of the event store stands, in a word and a mood; and numbers as operators read them.
import type { FollowerShown, Operations } from '@headwater/deciders/operations/operations'

export type Mood = 'good' | 'waits' | 'bad'
export type Standing = { readonly mood: Mood; readonly text: string }

/** Older than this is worth a word; younger is on its way. */
const behindMs = 10_000

export const standingOf = (follower: FollowerShown, store: Operations['store']): Standing => {
  const { state, unusable, paused, isWritten, parked, stopped, lagMs, rebuild } = follower
  if (state === 'away') return { mood: 'bad', text: 'Cannot be read' }
  if (state === 'not made') return { mood: 'waits', text: 'Not built yet' }
  if (unusable !== null) return { mood: 'bad', text: 'Rebuild needed' }
  if (paused) return { mood: 'waits', text: 'Paused' }
  if (stopped) return { mood: 'bad', text: 'Stopped at an event' }
  if (!store.answers) return { mood: 'waits', text: 'Store is away' }
  if (!isWritten) return { mood: 'bad', text: 'Stopped' }
  if (parked > 0) return { mood: 'bad', text: `${parked} parked` }
  if (lagMs === null) return { mood: 'waits', text: 'Lag not known' }
  if (lagMs > behindMs) return { mood: 'waits', text: 'Behind' }
  return { mood: 'good', text: rebuild ? 'Live, rebuilding' : 'Live' }
}

/** The marks of a status, by mood. */
export const statusOf = { good: 'approved', waits: 'checking', bad: 'denied' } as const

export const rateText = (perSecond: number | null): string => {
  if (perSecond === null) return '–'
  return Number(perSecond.toFixed(perSecond < 10 ? 1 : 0)).toLocaleString('en')
}

export const placeText = { edge: 'SQLite, this node', postgres: 'Postgres' } as const

/** With an s for all but one. */
export const countText = (number: number, what: string): string =>
  `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`
