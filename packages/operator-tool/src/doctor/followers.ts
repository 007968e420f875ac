// Finds the follower that a command names, and says what can be done about one.
import { jobsRestoreAdvice } from '@headwater/jobs/sink'
import type { Follower } from '@headwater/projections/operate/followers'
import { Refusal } from '../refusal.ts'
import { self } from '../self.ts'
import { didYouMean } from '../suggest.ts'

/** @throws Refusal */
export const followerNamed = (followers: readonly Follower[], name: string): Follower => {
  const found = followers.find((one) => one.name === name)
  if (found) return found
  const names = followers.map((one) => one.name)
  throw new Refusal(`There is no projection ${name}.${didYouMean(name, names)} There are: ${names.join(', ')}.`)
}

/** What to do when it cannot be used as it is. */
export const rebuildMend = ({ kind, name }: Follower): string =>
  kind === 'jobs' ? jobsRestoreAdvice : `${self} projections rebuild ${name}`

/** @throws Refusal when that must not be */
export const assertRebuildable = ({ kind }: Follower): void => {
  if (kind === 'jobs')
    throw new Refusal(`Jobs cannot be rebuilt: what they did outside would be done again. ${jobsRestoreAdvice}`)
}
