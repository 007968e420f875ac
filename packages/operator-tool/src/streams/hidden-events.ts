// Looks for streams of ours that were soft-deleted or cut short from outside: their metadata hides events.
import { type EventStore, noSuchStream, StreamDeleted } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { beginning, formatPosition, type Position } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'
import type { Context } from '../command.ts'
import { type Finding, ok, unchecked, wrong } from '../doctor/checks.ts'
import { self } from '../self.ts'
import { count } from '../text.ts'
import { knownCategories } from './personal.ts'

const lookMsMax = 3_000
const namedMax = 5
/** Many of those with such metadata may be deleted by now. */
const readsMax = 50
const check = 'hidden events'

/** The newest metadata of each of our streams, and the position up to which it was looked for. */
const readMetadata = (store: Pick<EventStore, 'subscribe'>) =>
  new Promise<{ readonly found: readonly StoredEvent[]; readonly position: Position; readonly isAll: boolean }>(
    (resolve, reject) => {
      const found = new Map<string, StoredEvent>()
      let position = beginning
      const settle = (act: () => void) => {
        clearTimeout(timer)
        looking.close()
        act()
      }
      const end = (isAll: boolean) => settle(() => resolve({ found: [...found.values()], position, isAll }))
      const timer = setTimeout(() => end(false), lookMsMax)
      const categories = knownCategories.map((category) => `$$${category}`)
      const looking = store.subscribe(categories, beginning, {
        onEvent: (event) => {
          found.set(event.stream, event)
          position = event.position
        },
        onCheckpoint: (reached) => {
          position = reached
        },
        onCaughtUp: () => end(true),
        onEnd: (error) => settle(() => reject(error)),
      })
    },
  )

/** Settings that hide events. The trail of a day is kept for as long as is configured. */
const hidingIn = ({ stream, data }: StoredEvent): readonly string[] => {
  const allowed = categoryOf(stream) === '$$audit' ? ['$maxAge'] : []
  return Object.keys(Object(data)).filter(
    (key) => ['$tb', '$maxCount', '$maxAge'].includes(key) && !allowed.includes(key),
  )
}

/** What happened to the stream of such metadata; undefined when it was deleted for good since. */
const describe = async (store: EventStore, metadata: StoredEvent): Promise<string | undefined> => {
  const stream = metadata.stream.slice('$$'.length)
  try {
    const events = await store.readStream(stream, 0n, 1)
    return `${stream} (${events === noSuchStream ? 'soft-deleted' : hidingIn(metadata).join(', ')})`
  } catch (error) {
    if (error instanceof StreamDeleted) return undefined
    throw error
  }
}

/** Bounded: it ends after a while, and says how far it looked. */
export const checkHiddenEvents = async ({ store }: Context): Promise<Finding> => {
  const { found, position, isAll } = await readMetadata(store)
  const hiding = found.filter((one) => hidingIn(one).length > 0)
  const named: string[] = []
  let reads = 0
  for (const metadata of hiding.slice(0, readsMax)) {
    if (named.length === namedMax) break
    named.push(...[await describe(store, metadata)].filter((one) => one !== undefined))
    reads++
  }
  const others = hiding.length - reads
  const looked = isAll
    ? 'all of the event store was looked through'
    : `looked through up to ${formatPosition(position)} only`
  if (named.length > 0) {
    const more = others > 0 ? ` and perhaps ${count(others, 'other')}` : ''
    return wrong(
      check,
      `Metadata hides events of ${named.join(', ')}${more}; ${looked}. Commands there are 503.`,
      `${self} streams delete <stream> --yes deletes it for good; or take these settings out of its metadata, before a scavenge makes the loss final.`,
    )
  }
  if (others > 0)
    return unchecked(check, `None was found among ${reads} streams; ${count(others, 'other')} were not read.`)
  if (isAll) return ok(check, `none: ${looked}`)
  return unchecked(check, `None was found in ${lookMsMax / 1_000} s: ${looked}.`)
}
