// What a store is called: the same for every client, and another once it was restored, since its positions then mean other events.
import { randomUUID } from 'node:crypto'
import type { EventToAppend, ExpectedRevision } from './client/appender.ts'
import { isObject } from './client/client-events.ts'
import type { StoredEvent } from './codec.ts'

const storeStream = 'headwater-store'
/** A name each time that it was restored. */
const namesMax = 1_000

/** An event store, without its name. */
type Store = {
  readonly readStream: (stream: string, from: bigint, maxCount: number) => Promise<readonly StoredEvent[]>
  readonly append: (
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
  ) => Promise<{ readonly outcome: 'appended' | 'conflict' }>
}

const readNames = ({ readStream }: Pick<Store, 'readStream'>) => readStream(storeStream, 0n, namesMax)

/** Undefined when the store has no name yet: unlike `storeName` this gives it none. */
export const readStoreName = async (store: Pick<Store, 'readStream'>): Promise<string | undefined> => {
  const last = (await readNames(store)).at(-1)
  if (!last) return undefined
  if (isObject(last.data) && typeof last.data.storeId === 'string') return last.data.storeId
  throw new Error(`The stream ${storeStream} ends with ${last.type} and not with the name of the store.`)
}

const named = () => ({ id: randomUUID(), type: 'StoreNamed', data: { storeId: randomUUID() }, metadata: {} })

/** @returns its uuid; it is given one when it has none */
export const storeName = async (store: Store): Promise<string> => {
  const known = await readStoreName(store)
  if (known !== undefined) return known
  // Somebody else may have named it meanwhile.
  await store.append(storeStream, [named()], 'no_stream')
  const name = await readStoreName(store)
  if (name === undefined) throw new Error(`The stream ${storeStream} was written and cannot be read.`)
  return name
}

/**
 * Gives a restored store a new name: whatever has followed it before then says that it has another history, however
 * far the new one has come.
 * @returns the new name
 * @throws StoreUnavailable, and an error when somebody else names it at the same time
 */
export const nameStoreAnew = async (store: Store): Promise<string> => {
  const last = (await readNames(store)).at(-1)
  const outcome = await store.append(storeStream, [named()], last?.revision ?? 'no_stream')
  if (outcome.outcome === 'conflict') throw new Error('Somebody else names the event store at this moment.')
  return storeName(store)
}
