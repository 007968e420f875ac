// `parked retry` and `parked skip`: an operator says what becomes of what is parked, and sees what does.
import { skipJobInput } from '@headwater/deciders/operations/operations'
import { isWaiting } from '@headwater/projections/model/parked'
import type { Wish } from '@headwater/projections/operate/wishes'
import type { Answer, Command, Context, Given } from '../command.ts'
import { followerNamed } from '../doctor/followers.ts'
import { untilSeenTo, whyNotSeenTo } from '../projections/await-wish.ts'
import { Refusal, WrongUse } from '../refusal.ts'
import { self } from '../self.ts'
import { moment } from '../text.ts'
import { findParked, nothingParked, type ParkedIn } from './find.ts'
import { findJob, givenId, retryJob, skipParkedJob } from './jobs.ts'

const nameOption = {
  name: { type: 'string', value: '<projection>', help: 'where it is parked, if in several' },
} as const

/** Where the event waits, of those that were asked for. */
const waitingIn = async (context: Context, given: Given, id: string): Promise<readonly ParkedIn[]> => {
  const name = given.text('name')
  const followers = name === undefined ? context.followers : [followerNamed(context.followers, name)]
  const found = await findParked(followers, id)
  const [first] = found
  const waiting = found.filter(({ parked }) => isWaiting(parked))
  if (first && waiting.length === 0) {
    const { by, at = new Date(), reason } = first.parked.skipped ?? {}
    throw new Refusal(`The event was skipped in ${first.follower.name} by ${by}, ${moment(at)}: ${reason}`)
  }
  return waiting
}

type Become = {
  readonly projection: string
  readonly outcome: 'taken in' | 'restarted' | 'parked again' | 'skipped' | 'waiting'
  readonly text: string
}

const becomeOf = async ({ follower, parked }: ParkedIn, kind: Wish['kind']): Promise<Become> => {
  const projection = follower.name
  const { event } = parked
  if (kind === 'retry' && parked.stops) {
    const text = `${projection} begins again with it: \`${self} projections list\` shows whether it goes on.`
    return { projection, outcome: 'restarted', text }
  }
  const now = (await follower.parked()).filter(
    (one) => one.event.id === event.id || (one.event.stream === event.stream && one.deadLetter === undefined),
  )
  const next = now.find(isWaiting)
  if (kind === 'skip') {
    const behind = next ? ` Now ${next.event.type} ${next.event.id} behind it is parked: ${next.error}` : ''
    return { projection, outcome: 'skipped', text: `${projection} goes on without it.${behind}` }
  }
  if (!next) return { projection, outcome: 'taken in', text: `${projection} has taken it in, and all behind it.` }
  const which = next.event.id === event.id ? 'It' : `It is taken in; ${next.event.type} ${next.event.id} behind it`
  return { projection, outcome: 'parked again', text: `${which} is parked again in ${projection}: ${next.error}` }
}

/** Adds the wish and follows it. */
const wishFor = async (context: Context, one: ParkedIn, wish: Pick<Wish, 'kind' | 'reason'>): Promise<Become> => {
  const { follower, parked } = one
  const { kind } = wish
  const eventId = parked.event.id
  const isNew = await follower.wishes.add({ ...wish, eventId, by: context.who, at: new Date() })
  if (isNew) await context.writeDown({ what: `parked ${kind} :id --name ${follower.name}`, resource: eventId })
  else context.note(`That is wished for already in ${follower.name}; following what becomes of it.`)
  if ((await untilSeenTo(context, follower, { kind, eventId })) === 'seen to') return becomeOf(one, kind)
  const why = await whyNotSeenTo(follower)
  return { projection: follower.name, outcome: 'waiting', text: `${why} The wish stays until somebody does.` }
}

const answerOf = (id: string, become: readonly Become[]): Answer => ({
  json: { id, outcomes: become.map(({ projection, outcome, text }) => ({ projection, outcome, text })) },
  text: become.map(({ text }) => text).join('\n'),
  exitCode: become.every(({ outcome }) => outcome !== 'parked again' && outcome !== 'waiting') ? 0 : 1,
})

const retry = async (context: Context, given: Given): Promise<Answer> => {
  const id = givenId(given)
  const waiting = await waitingIn(context, given, id)
  if (waiting.length > 0)
    return answerOf(id, await Promise.all(waiting.map((one) => wishFor(context, one, { kind: 'retry' }))))
  const job = await findJob(context, id)
  if (!job) throw nothingParked(id)
  return retryJob(context, job)
}

const skip = async (context: Context, given: Given): Promise<Answer> => {
  const id = givenId(given)
  const { data: reason, error } = skipJobInput.shape.reason.safeParse(given.text('reason') ?? '')
  if (error)
    throw new WrongUse(`Say why: --reason "...", ${error.issues[0]?.message}. It is kept with what is skipped.`)
  const waiting = await waitingIn(context, given, id)
  const [only, ...others] = waiting
  if (only && others.length === 0) return answerOf(id, [await wishFor(context, only, { kind: 'skip', reason })])
  if (only) {
    const names = waiting.map(({ follower }) => follower.name)
    throw new WrongUse(
      `The event is parked in ${names.join(' and ')}: say which is to go on without it, --name <projection>.`,
    )
  }
  const job = await findJob(context, id)
  if (!job) throw nothingParked(id)
  return skipParkedJob(context, job, reason)
}

export const parkedActs: readonly Command[] = [
  {
    name: ['parked', 'retry'],
    summary: 'has it tried again, and all that waits behind it; a job is run again',
    positionals: ['<id>'],
    options: nameOption,
    more: 'Wherever it is parked, unless --name says where. A projector does it within a second.',
    run: retry,
  },
  {
    name: ['parked', 'skip'],
    summary: 'goes on without an event or a job, for good',
    positionals: ['<id>'],
    options: {
      reason: { type: 'string', value: '<text>', help: 'why; it is kept with it' },
      ...nameOption,
    },
    more: 'Rows then never show what the event says; building the read model again skips it, too. What a job was for is not done.',
    run: skip,
  },
]
