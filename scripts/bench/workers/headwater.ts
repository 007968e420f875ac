// Headwater as a contender: commands through `handleCommand` against an event store in another process.
import { randomUUID } from 'node:crypto'
import { loanStream } from '@headwater/deciders/loan/streams'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { type CommandHandler, createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { snapshotStreamOf, streamName } from '@headwater/eventstore/stream-name'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { accountStream, type Deposit } from '../account.ts'
import { accountId, type ContenderTasks, deposit, drive, type Load, requestLoan } from '../load.ts'
import { serveTasks } from '../worker.ts'

/** The largest append that stays well below 1 MiB. */
const eventsAnAppendMax = 500
const fillsAtOnce = 15

const logger = createLogger({ service: 'bench', level: 'silent' })
const requestHash = 'a'.repeat(64)

let store: EventStore | undefined
const accountHandler = (store: EventStore): CommandHandler<Deposit> =>
  createCommandHandler({ store, stream: accountStream, logger })
let warmAccounts: CommandHandler<Deposit> | undefined

const opened = (): EventStore => {
  if (!store) throw new Error('No event store is open.')
  return store
}

const send = <Command>(handler: CommandHandler<Command>, id: string, command: Command) =>
  handler.handle({ id, command, commandId: randomUUID(), notBefore: 'now', requestHash, actor: 'bench' })

const fillStream = async (id: string, eventsEach: number): Promise<void> => {
  const stream = streamName('account', id)
  for (let from = 0; from < eventsEach; from += eventsAnAppendMax) {
    const events = Array.from({ length: Math.min(eventsAnAppendMax, eventsEach - from) }, (_, n) => ({
      id: randomUUID(),
      type: 'Deposited',
      data: deposit(id, from + n).data,
      // As if each had come by a command of its own.
      metadata: { commandId: randomUUID(), requestHash, actor: 'bench', schema: 1 },
    }))
    await opened().append(stream, events, from === 0 ? 'no_stream' : BigInt(from) - 1n)
  }
  if (eventsEach < accountStream.snapshot.everyEvents) return
  // As a stream that has grown by commands, it has a snapshot.
  await send(accountHandler(opened()), id, deposit(id, eventsEach))
  while ((await opened().readStreamBack(snapshotStreamOf(stream), 'end', 1)).length === 0);
}

const runNew = (load: Load) => {
  const handler = createCommandHandler({ store: opened(), stream: loanStream, logger })
  return drive(load, () => {
    const loanId = randomUUID()
    return send(handler, loanId, requestLoan(loanId))
  })
}

const runDeposits = async (load: Load) => {
  const { prefix, streams, memory } = load
  const idOf = (n: number) => accountId(prefix, n % streams)
  // A new handler knows nothing.
  if (memory === 'cold') return drive(load, (n) => send(accountHandler(opened()), idOf(n), deposit(idOf(n), n)))
  const handler = warmAccounts ?? accountHandler(opened())
  warmAccounts = handler
  for (let n = 0; n < streams; n++) await send(handler, idOf(n), deposit(idOf(n), n))
  return drive(load, (n) => send(handler, idOf(n), deposit(idOf(n), n)))
}

const tasks = {
  open: async ({ url }) => {
    store = connectEventStore({ url, logger })
  },
  fill: async ({ prefix, streams, eventsEach }) => {
    let next = 0
    const fillOnes = async () => {
      while (next < streams) await fillStream(accountId(prefix, next++), eventsEach)
    }
    await Promise.all(Array.from({ length: fillsAtOnce }, fillOnes))
  },
  run: (load) => (load.kind === 'new' ? runNew(load) : runDeposits(load)),
} satisfies ContenderTasks

serveTasks(tasks)
