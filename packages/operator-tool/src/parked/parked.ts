// `parked list` and `parked show`: events that could not be projected, and jobs that failed for good, on one list.
import type { StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, formatPosition } from '@headwater/eventstore/position'
import {
  hasJobs,
  type JobFound,
  type ParkedJob,
  parkedJobCount,
  parkedJobs,
  skippedJobs,
} from '@headwater/jobs/ledger/job-list'
import { inOrder, isWaiting, type ParkedEvent, type Skip } from '@headwater/projections/model/parked'
import type { Answer, Command, Context, Given } from '../command.ts'
import { followerNamed } from '../doctor/followers.ts'
import { troubleOf } from '../refusal.ts'
import { dataOption } from '../streams/events.ts'
import { hidden, shownData } from '../streams/personal.ts'
import { ago, count, details, json, moment, table } from '../text.ts'
import { findParked, nameOf, nothingParked, type ParkedIn } from './find.ts'
import { findJob, givenId } from './jobs.ts'

const jobsListedMax = 100
const waitingCountedMax = 500

const eventJson = ({ follower, parked }: ParkedIn) => {
  const { event, error, tries, parkedAt, triedAt, skipped, stops = false, deadLetter = null } = parked
  return {
    projection: follower.name,
    id: event.id,
    stream: event.stream,
    revision: event.revision,
    position: formatPosition(event.position),
    type: event.type,
    error,
    tries,
    parkedAt,
    triedAt,
    skipped: skipped ?? null,
    stops,
    deadLetter,
  }
}

const whyText = (error: string, skipped: Skip | null | undefined) =>
  skipped ? `skipped by ${skipped.by}: ${skipped.reason}` : error

const placeText = ({ event: { revision, stream, position }, deadLetter }: ParkedEvent) =>
  deadLetter === undefined ? `${revision}@${stream}` : `position ${formatPosition(position)}`

const eventRow = ({ follower, parked }: ParkedIn) => {
  const { event, tries, parkedAt, error, skipped, stops } = parked
  return [
    event.id,
    follower.name,
    nameOf(parked),
    placeText(parked),
    ago(parkedAt),
    String(tries),
    `${stops ? `stops ${follower.name}: ` : ''}${whyText(error, skipped)}`,
  ]
}

const jobRow = ({ id, kind, stream, parkedAt, error, skipped }: ParkedJob) => [
  id,
  'a job',
  kind,
  stream,
  ago(parkedAt),
  '',
  whyText(error, skipped),
]

/** Undefined where it cannot be asked: that is told beside. */
const ifReadable = <T>({ settings, note }: Context, reading: Promise<T>): Promise<T | undefined> =>
  reading.catch((error: unknown) => {
    note(troubleOf(error, settings))
    return undefined
  })

const list = async (context: Context, given: Given): Promise<Answer> => {
  const name = given.text('name')
  const followers = name === undefined ? context.followers : [followerNamed(context.followers, name)]
  const lists = await Promise.all(
    followers.map((follower) =>
      ifReadable(
        context,
        follower.parked().then((all) => inOrder(all).map((parked): ParkedIn => ({ follower, parked }))),
      ),
    ),
  )
  const events = lists.flatMap((all = []) => all).filter(({ parked }) => given.flag('all') || isWaiting(parked))
  const asksForJobs = name === undefined || name === 'jobs'
  const ofJobs = async () => {
    const { pool } = context
    if (!(await hasJobs(pool))) return { jobs: [], skipped: [], count: 0 }
    const skipped = given.flag('all') ? await skippedJobs(pool, jobsListedMax) : []
    return { jobs: await parkedJobs(pool, jobsListedMax), skipped, count: await parkedJobCount(pool) }
  }
  const jobs = asksForJobs ? await ifReadable(context, ofJobs()) : { jobs: [], skipped: [], count: 0 }
  const jobsShown = jobs && [...jobs.jobs, ...jobs.skipped]
  const rows = [...events.map(eventRow), ...(jobsShown ?? []).map(jobRow)]
  const more = jobs && jobs.count > jobs.jobs.length ? `\nand ${count(jobs.count - jobs.jobs.length, 'job')} more` : ''
  const isComplete = jobs !== undefined && lists.every((one) => one !== undefined)
  const none = isComplete ? 'Nothing is parked.' : 'Nothing is parked as far as could be asked.'
  const head = ['ID', 'IN', 'WHAT', 'STREAM', 'PARKED', 'TRIES', 'WHY']
  return {
    json: { events: events.map(eventJson), jobs: jobsShown ?? null, jobCount: jobs?.count ?? null },
    text: rows.length === 0 ? none : `${table(head, rows)}${more}`,
    exitCode: isComplete ? 0 : 1,
  }
}

const readEvent = async ({ store }: Context, { event }: ParkedEvent): Promise<StoredEvent | undefined> => {
  const found = await store.eventAt(event.position)
  return found?.id === event.id ? found : undefined
}

/** The events of its stream that wait behind it: those which its projection has gone past. */
const countBehind = async (
  { store }: Context,
  { follower }: ParkedIn,
  { stream, revision }: ParkedEvent['event'],
): Promise<number> => {
  const checkpoint = await follower.checkpoint()
  const behind = await store.readStream(stream, revision + 1n, waitingCountedMax)
  return behind.filter(({ position }) => checkpoint && comparePosition(position, checkpoint.position) <= 0).length
}

const skippedText = ({ by, at, reason }: Skip): string => `by ${by}, ${moment(at)}: ${reason}`

const behindText = (behind: number | undefined): string | undefined => {
  if (behind === undefined) return undefined
  return behind === waitingCountedMax ? `${behind} events or more` : count(behind, 'event')
}

const showEvent = async (context: Context, found: ParkedIn, withData: boolean) => {
  const stored = await ifReadable(context, readEvent(context, found.parked))
  const behind = stored && (await ifReadable(context, countBehind(context, found, stored)))
  const data = stored ? shownData(stored) : hidden.unknown
  const { follower, parked } = found
  const { event, error, tries, parkedAt, triedAt, skipped } = parked
  return {
    json: {
      ...eventJson(found),
      waitingBehind: behind ?? null,
      metadata: stored?.metadata ?? null,
      ...(withData && { data }),
    },
    text: details({
      event: `${(stored ?? event).type} ${event.id}`,
      'dead letter': parked.deadLetter?.toString(),
      stream: `${(stored ?? event).revision}@${(stored ?? event).stream}, position ${formatPosition(event.position)}`,
      recorded: stored && moment(stored.recordedAt),
      'parked in': `${follower.name}, ${moment(parkedAt)}`,
      tries: `${tries}, the last ${ago(triedAt)}`,
      why: error,
      stops: parked.stops ? `all of ${follower.name}, until it is projected or skipped` : undefined,
      skipped: skipped && skippedText(skipped),
      'waiting behind': behindText(behind),
      metadata: stored && json(stored.metadata),
      data: withData ? json(data) : undefined,
    }),
  }
}

const jobText = (job: JobFound): string =>
  details({
    job: `${job.kind} ${job.id}`,
    state: job.state,
    'follows from': job.eventId,
    stream: job.stream,
    entered: moment(job.enteredAt),
    'run at': moment(job.runAt),
    parked: job.parkedAt ? moment(job.parkedAt) : undefined,
    why: job.error ?? undefined,
    skipped: job.skipped ? skippedText(job.skipped) : undefined,
  })

const show = async (context: Context, given: Given): Promise<Answer> => {
  const id = givenId(given)
  const found = await findParked(context.followers, id)
  if (found.length > 0) {
    const shown = await Promise.all(found.map((one) => showEvent(context, one, given.flag('data'))))
    return { json: { events: shown.map((one) => one.json) }, text: shown.map(({ text }) => text).join('\n\n') }
  }
  const job = await findJob(context, id)
  if (!job) throw nothingParked(id)
  return { json: { job }, text: jobText(job) }
}

export const parkedCommands: readonly Command[] = [
  {
    name: ['parked', 'list'],
    summary: 'events that could not be projected, and jobs that failed for good',
    options: {
      name: { type: 'string', value: '<projection>', help: 'only those of one, such as loans, or of the jobs' },
      all: { type: 'boolean', help: 'also what was skipped' },
    },
    run: list,
  },
  {
    name: ['parked', 'show'],
    summary: 'what is known of one of them',
    positionals: ['<id>'],
    options: dataOption,
    run: show,
  },
]
