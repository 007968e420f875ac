// `projections list`, `projections lag`, `checkpoints`: how far everything is that follows the event store.
import { formatPosition } from '@headwater/eventstore/position'
import { type FollowerState, stateOf, stoppedAt, wishOf } from '@headwater/projections/operate/facts'
import type { Progress, Wish } from '@headwater/projections/operate/wishes'
import type { Answer, Command, Context, Given } from '../command.ts'
import { followerNamed, rebuildMend } from '../doctor/followers.ts'
import { type Looked, lookAt } from '../doctor/look.ts'
import { nameOf } from '../parked/find.ts'
import { type Cell, count, duration, moment, type Tone, table } from '../text.ts'

const tones: Readonly<Record<FollowerState, Tone>> = {
  unknown: 'bad',
  'not built': 'warning',
  'rebuild needed': 'bad',
  stopped: 'bad',
  paused: 'warning',
  'no projector': 'bad',
  live: 'good',
  behind: 'warning',
  running: 'good',
}

/** An answer that leaves out what could not be asked is not right. */
export const exitCodeOf = (looked: readonly Looked[]): number => (looked.every(({ facts }) => facts) ? 0 : 1)

/** How far a rebuild is, in one line. */
export const progressText = ({ events, position, head, eventsPerSecond, secondsLeft, trouble }: Progress): string => {
  const [at = 0, end = 0] = [position, head].map((text) => Number(text.split('/')[0]))
  const percent = end === 0 ? 100 : Math.min(100, Math.floor((at / end) * 100))
  const left = secondsLeft === undefined ? '' : `, ${duration(Math.ceil(secondsLeft) * 1_000)} left`
  const why = trouble === undefined ? '' : `: ${trouble}`
  return `${percent} %, ${count(events, 'event')}, ${Math.round(eventsPerSecond).toLocaleString('en')} a second${left}${why}`
}

const rebuildJson = ({ by, at, coresMax, progress }: Wish) => ({
  by,
  at,
  coresMax: coresMax ?? null,
  progress: progress ?? null,
})

const remarksOf = ({ follower, facts }: Looked): string => {
  if (!facts) return ''
  const pause = wishOf(facts, 'pause')
  const stopped = stoppedAt(facts)
  const rebuild = wishOf(facts, 'rebuild')
  const progress = rebuild?.progress ? progressText(rebuild.progress) : 'not begun'
  return [
    facts.unusable && `${facts.unusable} ${rebuildMend(follower)}`,
    pause && `paused by ${pause.by} since ${moment(pause.at)}`,
    rebuild && `being built again for ${rebuild.by}: ${progress}`,
    stopped && `stopped at ${nameOf(stopped)}: parked show ${stopped.event.id}`,
    !facts.isWritten && !stopped && `is ${follower.service} running?`,
  ]
    .filter(Boolean)
    .join('; ')
}

const lagText = (lagMs: number | undefined): string => (lagMs === undefined ? '?' : duration(lagMs))

const rowOf = (looked: Looked): readonly Cell[] => {
  const { follower, facts } = looked
  const state = stateOf(facts)
  const parked = facts?.parked.length
  return [
    follower.name,
    String(follower.version),
    follower.kind === 'SQLite' ? follower.place : `Postgres ${follower.place}`,
    { text: state, tone: tones[state] },
    facts?.checkpoint ? formatPosition(facts.checkpoint.position) : '-',
    lagText(facts?.lagMs),
    parked ? { text: String(parked), tone: 'bad' } : (parked?.toString() ?? '?'),
    remarksOf(looked),
  ]
}

const jsonOf = ({ follower, facts, trouble }: Looked) => {
  const { name, version, service, kind, place } = follower
  const pause = facts && wishOf(facts, 'pause')
  const rebuild = facts && wishOf(facts, 'rebuild')
  return {
    name,
    version,
    service,
    kind,
    place,
    state: stateOf(facts),
    position: facts?.checkpoint ? formatPosition(facts.checkpoint.position) : null,
    lagMs: facts?.lagMs ?? null,
    parked: facts?.parked.length ?? null,
    isWritten: facts?.isWritten ?? null,
    paused: pause ? { by: pause.by, at: pause.at } : null,
    rebuild: rebuild ? rebuildJson(rebuild) : null,
    trouble: trouble ?? facts?.unusable ?? null,
  }
}

const list = async (context: Context): Promise<Answer> => {
  const { store, looked } = await lookAt(context)
  const head = ['NAME', 'VERSION', 'WHERE', 'STATE', 'POSITION', 'LAG', 'PARKED', '']
  return {
    json: { head: store ? formatPosition(store.head) : null, projections: looked.map(jsonOf) },
    text: table(head, looked.map(rowOf)),
    exitCode: store ? exitCodeOf(looked) : 1,
  }
}

const lag = async (context: Context, { positionals: [name] }: Given): Promise<Answer> => {
  const followers = name === undefined ? context.followers : [followerNamed(context.followers, name)]
  const { store, looked } = await lookAt(context, followers)
  const rows = looked.map(({ follower, facts }) => [follower.name, lagText(facts?.lagMs), stateOf(facts)])
  const lags = looked.map(({ follower, facts }) => ({ name: follower.name, lagMs: facts?.lagMs ?? null }))
  return { json: { lags }, text: table(['NAME', 'LAG', 'STATE'], rows), exitCode: store ? exitCodeOf(looked) : 1 }
}

const checkpoints = async (context: Context): Promise<Answer> => {
  const { store, looked } = await lookAt(context)
  const rows = looked.map(({ follower, facts }) => {
    const stored = facts?.checkpoint
    if (!stored) return [follower.name, facts ? 'not built' : 'unknown']
    const { position, lastEvent, storeId, epoch, build } = stored
    const isOther = store?.id !== undefined && storeId !== store.id
    const storeCell: Cell = isOther ? { text: storeId, tone: 'bad' } : storeId
    return [follower.name, formatPosition(position), lastEvent?.id ?? '-', storeCell, String(epoch), build || 'first']
  })
  const json = looked.map(({ follower, facts }) => {
    const stored = facts?.checkpoint
    return {
      name: follower.name,
      checkpoint: stored
        ? {
            position: formatPosition(stored.position),
            lastEventId: stored.lastEvent?.id ?? null,
            storeId: stored.storeId,
            epoch: stored.epoch,
            build: stored.build,
          }
        : null,
    }
  })
  return {
    json: { storeId: store?.id ?? null, head: store ? formatPosition(store.head) : null, checkpoints: json },
    text: table(['NAME', 'POSITION', 'LAST EVENT', 'EVENT STORE', 'EPOCH', 'BUILD'], rows),
    exitCode: store ? exitCodeOf(looked) : 1,
  }
}

export const listCommands: readonly Command[] = [
  {
    name: ['projections', 'list'],
    summary: 'everything that follows the event store, and how far it is',
    more: 'The edge is one node: the one whose folder EDGE_DIRECTORY is. Lag is the age of the oldest event not yet in.',
    run: list,
  },
  {
    name: ['projections', 'lag'],
    summary: 'the age of the oldest event that is not in yet',
    positionals: ['[name]'],
    run: lag,
  },
  {
    name: ['checkpoints'],
    summary: 'up to which event everything is, of which store, and which writer is the last',
    run: checkpoints,
  },
]
