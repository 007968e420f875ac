// `streams list`, `streams read`, `streams follow`: what is in the event store.
import { setTimeout as sleep } from 'node:timers/promises'
import { noSuchStream, StreamDeleted } from '@headwater/eventstore/client/client'
import { startSubscription } from '@headwater/eventstore/client/subscription'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { formatPosition } from '@headwater/eventstore/position'
import { categoryOf, isSnapshotStream } from '@headwater/eventstore/stream-name'
import type { Answer, Command, Context, Given } from '../command.ts'
import { Refusal } from '../refusal.ts'
import { count, json, moment, table } from '../text.ts'
import { dataOption, eventJson, eventLine, eventTable } from './events.ts'

const pageEvents = 500
/** So far back streams are looked for. */
const lookedThroughMax = 10_000
const listed = { min: 1, max: 1_000, otherwise: 50, whole: true } as const
const read = { min: 1, max: 1_000, otherwise: 100, whole: true } as const
const fromRevision = { min: 0, max: Number.MAX_SAFE_INTEGER, otherwise: 0, whole: true } as const

/** The last event of each stream, the newest first. */
const lastEvents = async ({ store, signal }: Context, category: string | undefined, streamsMax: number) => {
  const found = new Map<string, StoredEvent>()
  let looked = 0
  let systemEvents = 0
  let oldest: StoredEvent | undefined
  while (looked + systemEvents < lookedThroughMax && found.size < streamsMax && !signal.aborted) {
    const page = await store.readBefore(oldest?.position, pageEvents)
    for (const event of page) {
      if (event.stream.startsWith('$') || isSnapshotStream(event.stream)) {
        systemEvents++
        continue
      }
      looked++
      const isWanted = category === undefined || categoryOf(event.stream) === category
      if (isWanted && found.size < streamsMax && !found.has(event.stream)) found.set(event.stream, event)
    }
    oldest = page.at(-1) ?? oldest
    if (page.length < pageEvents) return { found: [...found.values()], looked, isAll: found.size < streamsMax }
  }
  return { found: [...found.values()], looked, isAll: false }
}

const list = async (context: Context, given: Given): Promise<Answer> => {
  const category = given.text('category')
  const { found, looked, isAll } = await lastEvents(context, category, given.number('count', listed))
  const streams = found.map((event) => ({
    stream: event.stream,
    revision: String(event.revision),
    lastType: event.type,
    lastPosition: formatPosition(event.position),
    lastAt: event.recordedAt,
  }))
  const rows = streams.map(({ stream, revision, lastType, lastAt }) => [moment(lastAt), stream, revision, lastType])
  const of = category === undefined ? '' : ` of ${category}`
  const which = isAll
    ? `All streams${of}`
    : `The streams${of} that changed last, among the newest ${count(looked, 'event')}`
  return {
    json: { streams, isAll, lookedThrough: looked },
    text: `${table(['CHANGED', 'STREAM', 'REVISION', 'LAST EVENT'], rows)}\n${which}: ${streams.length}.`,
  }
}

const assertShown = (name: string) => {
  if (isSnapshotStream(name)) throw new Refusal('Snapshots are not shown: they hold what belongs to persons.')
}

const readOne = async ({ store }: Context, given: Given): Promise<Answer> => {
  const [stream = ''] = given.positionals
  assertShown(stream)
  const from = BigInt(given.number('from', fromRevision))
  const events = await store.readStream(stream, from, given.number('count', read)).catch((error: unknown) => {
    throw error instanceof StreamDeleted ? new Refusal(`${stream} was deleted.`) : error
  })
  if (events === noSuchStream) throw new Refusal(`There is no stream ${stream}.`)
  if (events.length === 0) throw new Refusal(`${stream} ends before revision ${from}.`)
  const withData = given.flag('data')
  return {
    json: { stream, events: events.map((event) => eventJson(event, withData)) },
    text: eventTable(events, withData),
  }
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  sleep(2 ** 31 - 1, undefined, { signal }).catch(() => undefined)

/** A name with a `-` is a stream's; one without is a category's. */
const follow = async (context: Context, given: Given): Promise<undefined> => {
  const { store, signal, isJson, out, note, logger } = context
  const [name = ''] = given.positionals
  assertShown(name)
  const withData = given.flag('data')
  const isOurs = name.includes('-') ? ({ stream }: StoredEvent) => stream === name : () => true
  const from = await store.head()
  const following = startSubscription({
    store,
    name,
    categories: [categoryOf(name)],
    from,
    handle: async ({ events }) => {
      for (const event of events.filter(isOurs))
        out(isJson ? json(eventJson(event, withData)) : eventLine(event, withData))
    },
    logger,
  })
  note(`What comes to ${name} from ${formatPosition(from)} on; Ctrl-C ends it.`)
  await Promise.race([untilAborted(signal), following.stopped])
  await following.stop()
}

export const streamCommands: readonly Command[] = [
  {
    name: ['streams', 'list'],
    summary: 'the streams that changed last, the newest first',
    options: {
      category: { type: 'string', value: '<name>', help: 'only those of one category, such as loan' },
      count: {
        type: 'string',
        value: '<number>',
        help: `so many at most, ${listed.otherwise} by default, ${listed.max} at most`,
      },
    },
    more: `It looks through the newest ${lookedThroughMax.toLocaleString('en')} events. The store's own streams ($...) and snapshots are left out.`,
    run: list,
  },
  {
    name: ['streams', 'read'],
    summary: 'the events of a stream',
    positionals: ['<stream>'],
    options: {
      from: { type: 'string', value: '<revision>', help: 'the first one to show, 0 by default' },
      count: {
        type: 'string',
        value: '<number>',
        help: `so many at most, ${read.otherwise} by default, ${read.max} at most`,
      },
      ...dataOption,
    },
    run: readOne,
  },
  {
    name: ['streams', 'follow'],
    summary: 'what comes to a stream or a category from now on, until Ctrl-C',
    positionals: ['<stream or category>'],
    options: dataOption,
    more: 'With --json an event is a line. It goes on after the event store was away.',
    run: follow,
  },
]
