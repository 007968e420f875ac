// Fills an embedded event store from inside, before it serves: a million events through a client would take a minute.
import { randomBytes } from 'node:crypto'
import { openStore } from '../../../packages/embedded-eventstore/src/store.ts'
import { accountId, deposit, type Filling } from '../load.ts'
import { serveTasks } from '../worker.ts'

/** Less than what the store lets wait. */
const appendsAtOnceMax = 1_000

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

const tasks = {
  /** The same streams that a contender's `fill` makes. */
  fill: async ({ directory, prefix, streams, eventsEach }: Filling & { directory: string }): Promise<void> => {
    const store = openStore(directory)
    const append = (n: number) => {
      const id = accountId(prefix, n)
      const events = Array.from({ length: eventsEach }, (_, m) => ({
        id: randomBytes(16),
        type: 'Deposited',
        contentType: 'application/json',
        customMetadata: json({
          commandId: randomBytes(16).toString('hex'),
          requestHash: 'a'.repeat(64),
          actor: 'bench',
        }),
        data: json(deposit(id, m).data),
      }))
      const request = {
        streamName: `account-${id}`,
        expected: 'no stream' as const,
        events,
        deadlineAtMs: Number.POSITIVE_INFINITY,
        bytes: eventsEach,
      }
      return new Promise<void>((resolve, reject) => {
        store.append(request, ({ kind }) => (kind === 'success' ? resolve() : reject(new Error(`An append: ${kind}.`))))
      })
    }
    for (let from = 0; from < streams; from += appendsAtOnceMax)
      await Promise.all(Array.from({ length: Math.min(appendsAtOnceMax, streams - from) }, (_, n) => append(from + n)))
    store.finish()
    store.close()
  },
}
export type StoreBuilderTasks = typeof tasks

serveTasks(tasks)
