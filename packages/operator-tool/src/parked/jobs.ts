// `jobs list`, `jobs retry`: what follows from events and is not done yet, and what becomes of what failed for good.
import { uuid } from '@headwater/deciders/fields'
import {
  hasJobs,
  type JobCounts,
  type JobFound,
  jobById,
  jobCounts,
  runJobAgain,
  skipJob,
} from '@headwater/jobs/ledger/job-list'
import { type ActiveProcess, activeProcesses } from '@headwater/jobs/processes/active-processes'
import type { Answer, Command, Context, Given } from '../command.ts'
import { poll } from '../projections/await-wish.ts'
import { Refusal, WrongUse } from '../refusal.ts'
import { self } from '../self.ts'
import { ago, type Cell, duration, moment, table } from '../text.ts'

const processesListedMax = 200
/** For one that is due at once and short; many wait behind others, or for a third party. */
const runMsMax = 10_000

/** @throws WrongUse */
export const givenId = ({ positionals: [text = ''] }: Given): string => {
  const id = uuid.safeParse(text).data
  if (id === undefined)
    throw new WrongUse(`"${text}" is no id: those are UUIDs, as \`${self} parked list\` shows them.`)
  return id
}

const rowOf = ({ kind, running, due, later, parked, oldestDue }: JobCounts): readonly Cell[] => [
  kind,
  String(running),
  String(due),
  String(later),
  parked > 0 ? { text: String(parked), tone: 'bad' } : '0',
  oldestDue
    ? `${duration(Math.max(0, Date.now() - oldestDue.runAt.getTime()))}: ${oldestDue.id} of ${oldestDue.stream}`
    : '-',
]

const list = async ({ pool }: Context): Promise<Answer> => {
  if (!(await hasJobs(pool))) return { json: { kinds: [] }, text: 'The jobs service has never run on this Postgres.' }
  const kinds = await jobCounts(pool)
  if (kinds.length === 0) return { json: { kinds }, text: 'All jobs are done.' }
  return {
    json: { kinds },
    text: table(['KIND', 'RUNNING', 'DUE', 'LATER', 'PARKED', 'WAITS LONGEST'], kinds.map(rowOf)),
  }
}

const processRow = ({ stream, since, dueAt, trouble }: ActiveProcess): readonly Cell[] => [
  stream,
  trouble === null ? (dueAt ? 'due later' : 'waits for an input') : { text: `held up: ${trouble}`, tone: 'bad' },
  ago(since),
  dueAt ? moment(dueAt) : '-',
]

const processes = async ({ pool }: Context): Promise<Answer> => {
  const active = (await hasJobs(pool)) ? await activeProcesses(pool, processesListedMax) : []
  if (active.length === 0) return { json: { processes: [] }, text: 'No process is active.' }
  return { json: { processes: active }, text: table(['STREAM', 'STATE', 'SINCE', 'DUE'], active.map(processRow)) }
}

/** Undefined when there is none, or no jobs at all. */
export const findJob = async ({ pool }: Pick<Context, 'pool'>, id: string): Promise<JobFound | undefined> =>
  (await hasJobs(pool)) ? jobById(pool, id) : undefined

const outcomeOf = ({ state, error, doneAt }: JobFound): string => {
  if (state === 'done') return doneAt ? `It is done, ${ago(doneAt)}.` : 'It is done.'
  if (state === 'parked') return `It failed for good again: ${error}`
  return 'It is to be run again, and has not been yet: others may be in front of it, or what it needs is away.'
}

const notParked = ({ id, state, skipped }: JobFound): Refusal => {
  if (state === 'done') return new Refusal(`The job ${id} is done, it is not parked.`)
  if (state === 'replaced') return new Refusal(`Another job has taken the place of ${id}, it is not parked.`)
  if (skipped)
    return new Refusal(`The job ${id} was skipped by ${skipped.by}, ${moment(skipped.at)}: ${skipped.reason}`)
  return new Refusal(`The job ${id} waits to be run, it is not parked.`)
}

const seenTo = (id: string): Refusal => new Refusal(`Somebody else has seen to the job ${id} just now.`)

export const retryJob = async (context: Context, job: JobFound): Promise<Answer> => {
  const { pool, writeDown, progress } = context
  if (job.state !== 'parked') throw notParked(job)
  if (!(await runJobAgain(pool, job.id))) throw seenTo(job.id)
  await writeDown({ what: 'jobs retry :id', resource: job.id })
  progress.say(`${job.kind} is run again ...`)
  const became = await poll(context, runMsMax, async () => {
    const now = await jobById(pool, job.id)
    return now && now.state !== 'waiting' ? now : undefined
  })
  progress.end()
  const now = typeof became === 'string' ? { ...job, state: 'waiting' as const, error: null } : became
  return {
    json: { id: job.id, kind: job.kind, stream: job.stream, state: now.state, error: now.error },
    text: `${job.kind} of ${job.stream}: ${outcomeOf(now)}`,
    exitCode: now.state === 'parked' ? 1 : 0,
  }
}

export const skipParkedJob = async (context: Context, job: JobFound, reason: string): Promise<Answer> => {
  const { pool, who, writeDown } = context
  if (job.state !== 'parked') throw notParked(job)
  if (!(await skipJob(pool, job.id, { by: who, reason }))) throw seenTo(job.id)
  await writeDown({ what: 'parked skip :id --name jobs', resource: job.id })
  return {
    json: { id: job.id, kind: job.kind, stream: job.stream, state: 'skipped', error: job.error },
    text: `${job.kind} of ${job.stream} is skipped: what it was for is not done.`,
  }
}

const retry = async (context: Context, given: Given): Promise<Answer> => {
  const id = givenId(given)
  const job = await findJob(context, id)
  if (!job) throw new Refusal(`There is no job ${id}.`)
  return retryJob(context, job)
}

export const jobCommands: readonly Command[] = [
  {
    name: ['processes'],
    summary: 'the processes that are not over: what holds them up first, then the longest waiting',
    run: processes,
  },
  {
    name: ['jobs', 'list'],
    summary: 'jobs that are not done, by kind: running, due, for later, parked',
    more: 'Those due among them that failed before are tried again every 30 s or sooner. Partners are told at /operations/webhooks.',
    run: list,
  },
  { name: ['jobs', 'retry'], summary: 'has a parked job run again', positionals: ['<job id>'], run: retry },
]
