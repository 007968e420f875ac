// Writers in a thread of their own, with a connection of their own: each appends its events one after the other.
import { randomUUID } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { connectEventStore } from '@headwater/eventstore/client/client'
import pino from 'pino'

export type Writing = {
  readonly url: string
  readonly writers: number
  readonly eventsEach: number
  /** All writers of all threads write to these as well as to their own. */
  readonly sharedStreams: readonly string[]
}

const eventsAnAppendMax = 4

const { url, writers, eventsEach, sharedStreams }: Writing = workerData
const store = connectEventStore({ url, logger: pino({ level: 'silent' }) })

const write = async () => {
  const own = `patient-${randomUUID()}`
  let revision = -1n
  for (let written = 0; written < eventsEach; ) {
    const count = Math.min(1 + (written % eventsAnAppendMax), eventsEach - written)
    const events = Array.from({ length: count }, () => ({
      id: randomUUID(),
      type: 'ContactRegistered',
      data: {},
      metadata: { actor: 'writer' },
    }))
    const shared = sharedStreams[written % (2 * sharedStreams.length)]
    const outcome = await store.append(shared ?? own, events, shared ? 'any' : revision < 0n ? 'no_stream' : revision)
    if (outcome.outcome !== 'appended') throw new Error(`An append to ${shared ?? own} met a conflict.`)
    if (!shared) revision = outcome.revision
    written += count
  }
}

await Promise.all(Array.from({ length: writers }, write))
await store.close()
parentPort?.postMessage('written')
