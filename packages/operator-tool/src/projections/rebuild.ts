// `projections rebuild`: has a read model built again beside the one that serves, and follows how far that is.
import { formatPosition } from '@headwater/eventstore/position'
import { wishOf } from '@headwater/projections/operate/facts'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Wish } from '@headwater/projections/operate/wishes'
import { rebuildCoresDefault } from '@headwater/projections/run/rebuild'
import type { Answer, Command, Context, Given } from '../command.ts'
import { assertRebuildable, followerNamed } from '../doctor/followers.ts'
import { Refusal, WrongUse } from '../refusal.ts'
import { self } from '../self.ts'
import { duration, moment } from '../text.ts'
import { poll, whyNotSeenTo } from './await-wish.ts'
import { progressText } from './list.ts'

const coresMin = 0.01
const coresMax = 64
/** How long a projector may take to begin. */
const beginsMsMax = 10_000
/** A projector notes how far it is every second; at its end it waits for its readers. */
const silenceMsMax = 60_000
const interruptedCode = 130

const of = { kind: 'rebuild', eventId: '' } as const

const rebuildOf = async (follower: Follower): Promise<Wish | undefined> =>
  wishOf({ wishes: await follower.wishes.all() }, 'rebuild')

const runsAlready = (name: string, { by, at, progress }: Wish): Refusal =>
  new Refusal(
    `${name} is being built again already, for ${by} since ${moment(at)}: ${progress ? progressText(progress) : 'not begun'}.\n` +
      `${self} projections rebuild ${name} --follow shows how far it is, --stop ends it.`,
  )

const stop = async ({ writeDown }: Context, follower: Follower): Promise<Answer> => {
  const { name, wishes } = follower
  if (!(await wishes.remove(of))) throw new Refusal(`${name} is not being built again.`)
  await writeDown({ what: `projections rebuild ${name} --stop` })
  const text = `Stopped. The ${name} that serves stays as it is; what was built stays for --go-on.`
  return { json: { name, outcome: 'stopped' }, text }
}

const noteOf = (wish: Wish | undefined) =>
  wish?.progress && { at: wish.progress.at.getTime(), text: progressText(wish.progress) }

/** @param before the build that serves; another one afterwards means that it has been replaced */
const follow = async (context: Context, follower: Follower, before: string | undefined): Promise<Answer> => {
  const { name } = follower
  const { progress } = context
  const startedAt = performance.now()
  let noted: ReturnType<typeof noteOf>
  const next = async () => {
    const wish = await rebuildOf(follower)
    if (!wish) return 'ended' as const
    const note = noteOf(wish)
    const isNews = note !== undefined && note.at !== noted?.at
    if (!isNews) return undefined
    noted = note
    progress.say(`${name}: ${note.text}`)
    return 'goes on' as const
  }
  for (;;) {
    const became = await poll(context, noted ? silenceMsMax : beginsMsMax, next)
    if (became === 'goes on') continue
    progress.end()
    const left = `${self} projections rebuild ${name} --follow shows how far it is, --stop ends it.`
    if (became === 'interrupted')
      return {
        json: { name, outcome: 'left running' },
        text: `It goes on without you. ${left}`,
        exitCode: interruptedCode,
      }
    if (became === 'too late') {
      const why = noted ? `Nothing has been heard of it for ${duration(silenceMsMax)}.` : await whyNotSeenTo(follower)
      throw new Refusal(`${why} It stays wished for, and goes on once a projector runs. ${left}`)
    }
    break
  }
  const after = await follower.checkpoint()
  if (after === undefined || after.build === before)
    return {
      json: { name, outcome: 'stopped' },
      text: `It was stopped by somebody: the ${name} of before serves.`,
      exitCode: 1,
    }
  const position = formatPosition(after.position)
  const seconds = (performance.now() - startedAt) / 1_000
  return {
    json: { name, outcome: 'rebuilt', position, seconds },
    text: `${name} was built again and serves, up to ${position}. It took ${duration(seconds * 1_000)}.`,
  }
}

const begin = async (context: Context, follower: Follower, given: Given): Promise<void> => {
  const limits = { min: coresMin, max: coresMax, otherwise: rebuildCoresDefault, whole: false }
  const cores = given.number('cores', limits)
  const wish = { ...of, by: context.who, at: new Date(), coresMax: cores, goesOn: given.flag('go-on') }
  if (!(await follower.wishes.add(wish))) {
    const other = await rebuildOf(follower)
    if (other) throw runsAlready(follower.name, other)
    throw new Refusal('Another rebuild has ended just now: try again.')
  }
  await context.writeDown({ what: `projections rebuild ${follower.name}` })
}

const rebuild = async (context: Context, given: Given): Promise<Answer> => {
  const follower = followerNamed(context.followers, given.positionals[0] ?? '')
  assertRebuildable(follower)
  const chosen = ['stop', 'follow', 'go-on'].filter((option) => given.flag(option))
  if (chosen.length > 1) throw new WrongUse(`--${chosen.join(' and --')} do not go together.`)
  if (given.flag('stop')) return stop(context, follower)
  const before = (await follower.checkpoint().catch(() => undefined))?.build // it may be damaged: that is why
  if (!given.flag('follow')) await begin(context, follower, given)
  else if (!(await rebuildOf(follower))) throw new Refusal(`${follower.name} is not being built again.`)
  return follow(context, follower, before)
}

export const rebuildCommands: readonly Command[] = [
  {
    name: ['projections', 'rebuild'],
    summary: 'builds a read model again beside the one that serves, then swaps them',
    positionals: ['<name>'],
    options: {
      cores: {
        type: 'string',
        value: '<number>',
        help: `the most that its projector may use of the processor, ${rebuildCoresDefault} by default`,
      },
      'go-on': { type: 'boolean', help: 'goes on with what an earlier rebuild has built' },
      follow: { type: 'boolean', help: 'begins nothing, shows how far the running one is' },
      stop: { type: 'boolean', help: 'ends the running one; what it has built stays' },
    },
    more: 'Its projector does the work: Ctrl-C ends the looking on, not the rebuild. One at a time.',
    run: rebuild,
  },
]
