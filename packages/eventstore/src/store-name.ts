// The store ID: the same for every client, and a new one after a restore, since its positions then mean other events.
import { randomUUID } from 'node:crypto'
import type { EventToAppend, ExpectedRevision } from './client/appender.ts'
import { isObject } from './client/client-events.ts'
import type { StoredEvent } from './codec.ts'

const storeStream = 'headwater-store'
/** One per restore. */
const namesMax = 1_000

/** An event store without its ID. */
type Store = {
  readonly readStream: (stream: string, from: bigint, maxCount: number) => Promise<readonly StoredEvent[]>
  readonly append: (
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
  ) => Promise<{ readonly outcome: 'appended' | 'conflict' }>
}

const readNames = ({ readStream }: Pick<Store, 'readStream'>) => readStream(storeStream, 0n, namesMax)

/** Undefined when the store has no ID yet: unlike `storeName` this assigns none. */
export const readStoreName = async (store: Pick<Store, 'readStream'>): Promise<string | undefined> => {
  const last = (await readNames(store)).at(-1)
  if (!last) return undefined
  if (isObject(last.data) && typeof last.data.storeId === 'string') return last.data.storeId
  throw new Error(`The stream ${storeStream} ends with ${last.type} and not with the name of the store.`)
}

const named = () => ({ id: randomUUID(), type: 'StoreNamed', data: { storeId: randomUUID() }, metadata: {} })

/** @returns the store's uuid; assigns one if there is none */
export const storeName = async (store: Store): Promise<string> => {
  const known = await readStoreName(store)
  if (known !== undefined) return known
  // Another client may assign one meanwhile.
  await store.append(storeStream, [named()], 'no_stream')
  const name = await readStoreName(store)
  if (name === undefined) throw new Error(`The stream ${storeStream} was written and cannot be read.`)
  return name
}

/**
 * Assigns a restored store a new ID: projections that followed it before then report another history, at any position.
 * @returns the new ID
 * @throws StoreUnavailable, and an error when another client does the same at the same time
 */
export const assignNewStoreId = async (store: Store): Promise<string> => {
  const last = (await readNames(store)).at(-1)
  const outcome = await store.append(storeStream, [named()], last?.revision ?? 'no_stream')
  if (outcome.outcome === 'conflict') throw new Error('Somebody else names the event store at this moment.')
  return storeName(store)
}
