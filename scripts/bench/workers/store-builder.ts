// Fills an embedded event store from inside, before it serves: a million events through a client would take a minute.
import { randomBytes } from 'node:crypto'
import { openStore } from '../../../packages/embedded-eventstore/src/store/store.ts'
import { accountId, deposit, type Filling } from '../load.ts'
import { eventsALoan, loanIdOf, wholeLives } from '../loan-history.ts'
import { serveTasks } from '../worker.ts'

/** Less than what the store lets wait. */
const appendsAtOnceMax = 1_000

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

type Stored = { readonly type: string; readonly data: object }

const storable = ({ type, data }: Stored) => ({
  id: randomBytes(16),
  type,
  contentType: 'application/json',
  customMetadata: json({ commandId: randomBytes(16).toString('hex'), requestHash: 'a'.repeat(64), actor: 'bench' }),
  data: json(data),
})

/** One append a stream, many at once. */
const fillWith = async (
  directory: string,
  streams: number,
  streamOf: (n: number) => { readonly name: string; readonly events: readonly Stored[] },
): Promise<void> => {
  const store = openStore(directory)
  const append = (n: number) => {
    const { name, events } = streamOf(n)
    const request = {
      kind: 'append' as const,
      streamName: name,
      expected: 'no stream' as const,
      events: events.map(storable),
      deadlineAtMs: Number.POSITIVE_INFINITY,
      bytes: events.length,
    }
    return new Promise<void>((resolve, reject) => {
      store.write(request, ({ kind }) => (kind === 'success' ? resolve() : reject(new Error(`An append: ${kind}.`))))
    })
  }
  for (let from = 0; from < streams; from += appendsAtOnceMax)
    await Promise.all(Array.from({ length: Math.min(appendsAtOnceMax, streams - from) }, (_, n) => append(from + n)))
  store.finish()
  store.close()
}

const tasks = {
  /** The same streams that a contender's `fill` makes. */
  fill: ({ directory, prefix, streams, eventsEach }: Filling & { directory: string }): Promise<void> =>
    fillWith(directory, streams, (n) => {
      const id = accountId(prefix, n)
      const events = Array.from({ length: eventsEach }, (_, m) => ({ type: 'Deposited', data: deposit(id, m).data }))
      return { name: `account-${id}`, events }
    }),

  /** Whole lives of so many loans. */
  fillLoans: ({ directory, loans }: { directory: string; loans: number }): Promise<void> => {
    const history = wholeLives(loans, 'adjacent')
    return fillWith(directory, loans, (n) => {
      const events = Array.from({ length: eventsALoan }, (_, m) => history.at(n * eventsALoan + m))
      return { name: `loan-${loanIdOf(n)}`, events: events.map(({ type, data }) => ({ type, data: data as object })) }
    })
  },
}
export type StoreBuilderTasks = typeof tasks

serveTasks(tasks)
