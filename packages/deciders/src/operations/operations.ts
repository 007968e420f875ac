// Schemas of the operations API: bodies and answers.
import { z } from 'zod'
import { field, longText, optional, reference } from '../fields.ts'

/** The name of a read model, or `jobs`. */
export const followerName = field('follower name', z.string().regex(/^[a-z-]{1,64}$/, 'a name as the list gives it'))

const nodeCharactersMax = 253
const reasonCharactersMin = 3
const reasonCharactersMax = 500

const instant = z.iso.datetime()
const count = z.int().min(0)

const node = optional(reference(nodeCharactersMax)).meta({
  description:
    'The `node` that was shown. Each node has read models of its own at the edge: another one that is asked refuses.',
})

export const steerInput = z.strictObject({ node }).meta({ id: 'SteerFollower' })
export const retryInput = z.strictObject({ node, follower: followerName }).meta({ id: 'RetryParkedEvent' })

const reason = longText(reasonCharactersMax, reasonCharactersMin).meta({
  description: 'Stays on the list, with who skipped it.',
})
export const skipInput = z.strictObject({ node, follower: followerName, reason }).meta({ id: 'SkipParkedEvent' })
export const skipJobInput = z.strictObject({ reason }).meta({ id: 'SkipParkedJob' })

/** The operator and the time of a request. */
const wished = z.object({ by: z.string(), byName: z.string().optional(), at: instant })
const skipped = wished.extend({ reason: z.string() }).nullable()

const progress = z.object({
  events: count,
  position: z.string(),
  head: z.string().meta({ description: 'Of the event store, when it was last looked at.' }),
  eventsPerSecond: z.number(),
  secondsLeft: z.number().nullable().meta({ description: 'Null until it can be told.' }),
  share: z.number().min(0).max(1).meta({ description: 'Of the way to the head.' }),
  at: instant,
  trouble: z.string().nullable().meta({ description: 'Why it does not go on.' }),
})

const follower = z
  .object({
    name: followerName,
    version: z.int(),
    place: z.enum(['edge', 'postgres']).meta({ description: '`edge`: a file of this node.' }),
    state: z.enum(['there', 'not made', 'away']).meta({ description: '`away`: what it keeps cannot be read now.' }),
    unusable: z.string().nullable().meta({
      description:
        'Why its rows cannot be used until it is rebuilt, such as rows of another event store. Its lag is null then.',
    }),
    isWritten: z.boolean().meta({ description: 'Somebody is there who follows the event store for it.' }),
    canBeRebuilt: z.boolean(),
    position: z.string().nullable(),
    lagMs: z.int().nullable().meta({ description: 'Age of the oldest event that is not in; null when unknown.' }),
    rowsPerSecond: z.number().nullable().meta({ description: 'Rows changed, or jobs entered, lately.' }),
    parked: count.meta({ description: 'Events that could not be projected and wait, dead letters among them.' }),
    stopped: z.boolean().meta({ description: 'Nothing gets past one of them: it is listed, with `stops`.' }),
    paused: wished.nullable(),
    rebuild: wished.extend({ progress: progress.nullable() }).nullable(),
    history: z
      .object({ lagMs: z.array(z.int().nullable()), rowsPerSecond: z.array(z.number().nullable()) })
      .meta({ description: 'One every `sampledEveryMs`, the oldest first, since an operator looks.' }),
  })
  .meta({ id: 'Follower' })
export type FollowerShown = z.infer<typeof follower>

const jobsOfKind = z.object({
  kind: z.string(),
  running: count,
  due: count.meta({ description: 'To be run by whoever has time; failed ones among them wait to be tried again.' }),
  later: count.meta({ description: 'To be run at a time that has not come.' }),
  parked: count,
})
export type JobsOfKind = z.infer<typeof jobsOfKind>

export const operations = z
  .object({
    node: z.string(),
    at: instant,
    store: z.object({ answers: z.boolean(), head: z.string().nullable() }),
    postgres: z.object({ answers: z.boolean() }),
    followers: z.array(follower),
    sampledEveryMs: z.int(),
    live: z
      .object({ sockets: count, socketsMax: count, queries: count, queriesPerSocketMax: count })
      .meta({ description: 'Of this gateway.' }),
    jobs: z.array(jobsOfKind).nullable().meta({ description: 'Null when Postgres does not tell.' }),
    webhooks: z.object({ waiting: count, parked: count }).nullable(),
  })
  .meta({ id: 'Operations' })
export type Operations = z.infer<typeof operations>

const parkedEvent = z.object({
  kind: z.literal('event'),
  id: z.string(),
  follower: followerName,
  stream: z.string(),
  type: z.string(),
  revision: z.string(),
  error: z.string(),
  tries: count,
  parkedAt: instant,
  triedAt: instant,
  position: z.string(),
  stops: z.boolean().meta({ description: 'Nothing behind it is projected, of whatever stream.' }),
  deadLetter: z
    .int()
    .nullable()
    .meta({ description: 'Its number when it could not even be parked: its stream is not known then.' }),
  wished: z.enum(['retry', 'skip']).nullable().meta({ description: 'Asked for, and not seen to yet.' }),
  skipped,
})

const parkedJob = z.object({
  kind: z.literal('job'),
  id: z.string(),
  job: z.string(),
  stream: z.string(),
  eventId: z.string(),
  error: z.string(),
  parkedAt: instant,
  skipped,
})

const parkedItem = z.discriminatedUnion('kind', [parkedEvent, parkedJob]).meta({ id: 'Parked' })
export type Parked = z.infer<typeof parkedItem>

export const parkedList = z.object({
  node: z.string(),
  parked: z.array(parkedItem).meta({ description: 'Those that wait, the oldest first; then those that were skipped.' }),
  count: count.meta({ description: 'Of all, also where not all are listed.' }),
  unread: z.array(followerName).meta({ description: 'Whose list cannot be read now.' }),
})
export type ParkedList = z.infer<typeof parkedList>

export const asked = z.object({ follower: followerName }).meta({ id: 'Asked' })
