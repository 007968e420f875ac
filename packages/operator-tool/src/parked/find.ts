// Finds a parked event by its id, in every projection that has it on its list.
import type { ParkedEvent } from '@headwater/projections/model/parked'
import type { Follower } from '@headwater/projections/operate/followers'
import { Refusal } from '../refusal.ts'
import { self } from '../self.ts'

export type ParkedIn = { readonly follower: Follower; readonly parked: ParkedEvent }

/** Of a dead letter only its number is known. */
export const nameOf = ({ event, deadLetter }: ParkedEvent): string =>
  deadLetter === undefined ? event.type : `dead letter ${deadLetter}`

export const findParked = async (followers: readonly Follower[], id: string): Promise<readonly ParkedIn[]> => {
  const lists = await Promise.all(
    followers.map(async (follower) => (await follower.parked()).map((parked): ParkedIn => ({ follower, parked }))),
  )
  return lists.flat().filter(({ parked }) => parked.event.id === id)
}

export const nothingParked = (id: string): Refusal =>
  new Refusal(`Nothing with the id ${id} is parked: \`${self} parked list\` shows what is.`)
