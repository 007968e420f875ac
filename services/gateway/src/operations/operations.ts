// Operators' API: what follows the event store and how far it is, what could not be projected, and what they can do about it.
import { hostname } from 'node:os'
import {
  type FollowerShown,
  type Operations,
  operations,
  type ParkedList,
  parkedList,
} from '@headwater/deciders/operations/operations'
import { operationsRules } from '@headwater/deciders/operations/operations-policy'
import type { EventStore } from '@headwater/eventstore/client/client'
import { comparePosition, formatPosition, parsePosition } from '@headwater/eventstore/position'
import { problemAnswer } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { type ParkedJob, parkedJobs, skippedJobs } from '@headwater/jobs/ledger/job-list'
import { inOrder, type ParkedEvent, type Skip } from '@headwater/projections/model/parked'
import { stoppedAt, wishOf } from '@headwater/projections/operate/facts'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Progress, Wish } from '@headwater/projections/operate/wishes'
import type { Pool } from 'pg'
import type { LiveCounts } from '../live/live.ts'
import { type Names, named, type People } from '../people.ts'
import { registerOperatorActs } from './acts.ts'
import { createLook, type Look } from './look.ts'
import { registerParkedJobs } from './parked-jobs.ts'
import { type History, keepSamples, sampledEveryMs } from './samples.ts'

const parkedListedMax = 200

const refusals = {
  401: problemAnswer('Nobody is signed in.'),
  403: problemAnswer('Whoever is signed in is no operator.'),
}

export type OperationsOptions = {
  readonly followers: readonly Follower[]
  readonly store: Pick<EventStore, 'head' | 'eventAt' | 'eventAfter' | 'readStream'>
  readonly pool: Pool
  readonly jobsUrl: string
  readonly live: () => LiveCounts
  readonly people: Pick<People, 'namesOf'>
}

const wishedBy = ({ by, at }: Pick<Wish, 'by' | 'at'>, names: Names) => ({
  by,
  ...named(names, 'byName', by),
  at: at.toISOString(),
})

const shareOf = ({ position, head }: Progress): number => {
  const [at, end] = [parsePosition(position), parsePosition(head)]
  if (!at || !end || end.commit === 0n) return 0
  return comparePosition(at, end) >= 0 ? 1 : Number(at.commit) / Number(end.commit)
}

const progressShown = (progress: Progress | undefined) =>
  progress
    ? {
        ...progress,
        secondsLeft: progress.secondsLeft ?? null,
        share: shareOf(progress),
        at: progress.at.toISOString(),
        trouble: progress.trouble ?? null,
      }
    : null

const placeOf = (kind: Follower['kind']) => (kind === 'SQLite' ? 'edge' : 'postgres')

const followerShown = (
  { name, version, kind, canBeRebuilt }: Follower,
  look: Look,
  history: History,
  names: Names,
): FollowerShown => {
  const { stored = 'away', measured } = look.followers.get(name) ?? {}
  const there = stored === 'away' ? undefined : stored
  const pause = there && wishOf(there, 'pause')
  const rebuild = there && wishOf(there, 'rebuild')
  const position = there?.checkpoint?.position
  return {
    name,
    version,
    place: placeOf(kind),
    state: there ? (position ? 'there' : 'not made') : 'away',
    unusable: measured?.unusable ?? null,
    isWritten: there?.isWritten ?? false,
    canBeRebuilt,
    position: position ? formatPosition(position) : null,
    lagMs: (position && measured?.lagMs) ?? null,
    rowsPerSecond: history.rowsPerSecond.at(-1) ?? null,
    parked: there?.parked.length ?? 0,
    stopped: there !== undefined && stoppedAt(there) !== undefined,
    paused: pause ? wishedBy(pause, names) : null,
    rebuild: rebuild ? { ...wishedBy(rebuild, names), progress: progressShown(rebuild.progress) } : null,
    history: { lagMs: [...history.lagMs], rowsPerSecond: [...history.rowsPerSecond] },
  }
}

type OfFollower<T> = { readonly follower: Follower; readonly one: T; readonly wishes: readonly Wish[] }

const eventShown = ({ follower, one, wishes }: OfFollower<ParkedEvent>, names: Names) => {
  const { event, error, tries, parkedAt, triedAt, skipped, stops = false, deadLetter = null } = one
  const wish = wishes.find(({ eventId }) => eventId === event.id)
  return {
    kind: 'event' as const,
    id: event.id,
    follower: follower.name,
    stream: event.stream,
    type: event.type,
    revision: String(event.revision),
    error,
    tries,
    parkedAt: parkedAt.toISOString(),
    triedAt: triedAt.toISOString(),
    position: formatPosition(event.position),
    stops,
    deadLetter,
    wished: wish?.kind === 'retry' || wish?.kind === 'skip' ? wish.kind : null,
    skipped: skippedShown(skipped, names),
  }
}

const skippedShown = (skipped: Skip | null | undefined, names: Names) =>
  skipped ? { ...wishedBy(skipped, names), reason: skipped.reason } : null

const jobShown = ({ kind: job, parkedAt, skipped, ...rest }: ParkedJob, names: Names) => ({
  kind: 'job' as const,
  job,
  ...rest,
  parkedAt: parkedAt.toISOString(),
  skipped: skippedShown(skipped, names),
})

const readParkedList = async ({ followers, pool, people }: OperationsOptions): Promise<Omit<ParkedList, 'node'>> => {
  const unread = new Set<Follower['name']>()
  const away = (name: Follower['name']) => () => {
    unread.add(name)
    return []
  }
  const events = followers.map(async (follower): Promise<readonly OfFollower<ParkedEvent>[]> => {
    const [parked, wishes] = await Promise.all([follower.parked(), follower.wishes.all()])
    return inOrder(parked).map((one) => ({ follower, one, wishes }))
  })
  const read = await Promise.all(events.map((one, n) => one.catch(away(followers[n]?.name ?? 'jobs'))))
  const listed = [parkedJobs, skippedJobs].map((list) => list(pool, parkedListedMax))
  const jobs = await Promise.all(listed).then((lists) => lists.flat(), away('jobs'))
  const found = read.flat()
  const names = await people.namesOf(
    [...found.map(({ one }) => one), ...jobs].map(({ skipped }) => skipped?.by ?? null),
  )
  const shown = [...found.map((one) => eventShown(one, names)), ...jobs.map((one) => jobShown(one, names))]
  const waiting = shown.filter(({ skipped }) => skipped === null)
  const skipped = shown.filter((one) => one.skipped !== null)
  const stopsAll = (one: (typeof shown)[number]) => Number(one.kind === 'event' && one.stops)
  const oldestFirst = waiting.toSorted((a, b) => stopsAll(b) - stopsAll(a) || a.parkedAt.localeCompare(b.parkedAt))
  const all = [...oldestFirst, ...skipped]
  return { parked: all.slice(0, parkedListedMax), count: all.length, unread: [...unread] }
}

export const registerOperations = async (server: HttpServer, options: OperationsOptions): Promise<void> => {
  const { followers, people, live } = options
  const node = hostname()
  const samples = keepSamples(createLook(options), followers)
  server.addHook('preClose', async () => samples.stop())

  server.get(
    '/api/operations',
    {
      config: { rules: operationsRules.overview },
      schema: {
        tags: ['operations'],
        summary: 'What follows the event store, how far it is, and what this gateway serves',
        description:
          'Asking begins the sampling of lag and rates; it ends 5 minutes after nobody asked. A part that is away is said to be: this answers also then.',
        response: { 200: operations, ...refusals },
      },
    },
    async (_request, reply): Promise<Operations> => {
      const look = await samples.watch()
      const asked = [...look.followers.values()].flatMap(({ stored }) =>
        (stored === 'away' ? [] : stored.wishes).map(({ by }) => by),
      )
      const names = await people.namesOf(asked)
      reply.header('cache-control', 'no-store')
      return {
        node,
        at: look.at.toISOString(),
        store: { answers: look.head !== undefined, head: look.head ? formatPosition(look.head) : null },
        postgres: { answers: look.postgresAnswers },
        followers: followers.map((one) => followerShown(one, look, samples.historyOf(one.name), names)),
        sampledEveryMs,
        live: live(),
        jobs: look.jobs ? [...look.jobs.jobs] : null,
        webhooks: look.jobs?.webhooks ?? null,
      }
    },
  )

  server.get(
    '/api/operations/parked',
    {
      config: { rules: operationsRules.parked },
      schema: {
        tags: ['operations'],
        summary: `What could not be projected, and the jobs that failed for good: at most ${parkedListedMax}`,
        description: 'Ids, types and errors; nothing of what the events say.',
        response: { 200: parkedList, ...refusals },
      },
    },
    async (_request, reply): Promise<ParkedList> => {
      reply.header('cache-control', 'no-store')
      return { node, ...(await readParkedList(options)) }
    },
  )

  await registerOperatorActs(server, { ...options, node, done: samples.forget })
  await registerParkedJobs(server, { ...options, done: samples.forget })
}
