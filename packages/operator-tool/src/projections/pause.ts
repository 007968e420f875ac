// `projections pause` and `projections resume`: nothing more is taken in, until somebody says so.

import { wishOf } from '@headwater/projections/operate/facts'
import type { Answer, Command, Context, Given } from '../command.ts'
import { followerNamed } from '../doctor/followers.ts'
import { self } from '../self.ts'
import { moment } from '../text.ts'

const pause = async (context: Context, { positionals: [name = ''] }: Given): Promise<Answer> => {
  const { followers, who, writeDown } = context
  const follower = followerNamed(followers, name)
  const wish = { kind: 'pause', eventId: '', by: who, at: new Date() } as const
  const isNew = await follower.wishes.add(wish)
  if (!isNew) {
    const { by = who, at = wish.at } = wishOf({ wishes: await follower.wishes.all() }, 'pause') ?? {}
    return {
      json: { name, paused: { by, at }, changed: false },
      text: `${name} is paused already, by ${by} since ${moment(at)}.`,
    }
  }
  await writeDown({ what: `projections pause ${name}` })
  const isWritten = await follower.isWritten()
  const seenTo = isWritten
    ? 'It stops after the batch in hand; what is there still serves.'
    : `No ${follower.service} writes it at the moment; the next one waits, too.`
  return {
    json: { name, paused: { by: wish.by, at: wish.at }, changed: true },
    text: `${name} is paused. ${seenTo}\n${self} projections resume ${name} lets it go on.`,
  }
}

const resume = async ({ followers, writeDown }: Context, { positionals: [name = ''] }: Given): Promise<Answer> => {
  const follower = followerNamed(followers, name)
  const changed = await follower.wishes.remove({ kind: 'pause', eventId: '' })
  const json = { name, paused: null, changed }
  if (!changed) return { json, text: `${name} is not paused.` }
  await writeDown({ what: `projections resume ${name}` })
  const seenTo = (await follower.isWritten()) ? '' : ` No ${follower.service} writes it at the moment: is it running?`
  return { json, text: `${name} goes on.${seenTo}` }
}

export const pauseCommands: readonly Command[] = [
  {
    name: ['projections', 'pause'],
    summary: 'takes nothing more in; what is there still serves',
    positionals: ['<name>'],
    more: 'It stays paused, also in the next process, until it is resumed.',
    run: pause,
  },
  { name: ['projections', 'resume'], summary: 'lets a paused one go on', positionals: ['<name>'], run: resume },
]
