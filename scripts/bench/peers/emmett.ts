// Emmett as a contender: the same commands and deciders through its CommandHandler, on PostgreSQL or on SQLite.
// It stands here so that its packages resolve from this folder, which only the bench installs.
import { randomUUID } from 'node:crypto'
import type { Decider, DomainEvent } from '@headwater/deciders/decider'
import { loan } from '@headwater/deciders/loan/loan'
import { Pool } from 'pg'
import { accountStream } from '../account.ts'
import { accountId, type ContenderTasks, deposit, drive, requestLoan } from '../load.ts'
import { serveTasks } from '../worker.ts'

/** As many as there are commands in flight: the pool is not what is measured. */
const connectionsMax = 16
/** Its own default gives up after three tries; ours answers every command, so must it. */
const conflictRetries = { retries: 1_000, minTimeout: 1, maxTimeout: 20, factor: 1.5 }

type Store = {
  readonly appendToStream: (stream: string, events: readonly DomainEvent[]) => Promise<unknown>
}

/** What is used of Emmett; its own types are not there before the bench has installed it. */
type Emmett = {
  readonly CommandHandler: <State>(options: {
    readonly evolve: (state: State, event: never) => State
    readonly initialState: () => State
    readonly mapToStreamId: (id: string) => string
    readonly retry: object
  }) => (store: Store, id: string, handle: (state: State) => readonly DomainEvent[]) => Promise<unknown>
  readonly isExpectedVersionConflictError: (error: unknown) => boolean
}
type WithSchema = Store & { readonly schema: { readonly migrate: () => Promise<unknown> } }
type EmmettPostgres = { readonly getPostgreSQLEventStore: (url: string, options: object) => WithSchema }
type EmmettSqlite = { readonly getSQLiteEventStore: (options: object) => WithSchema }

const load = async <Module>(name: string): Promise<Module> => import(name)
const emmett = await load<Emmett>('@event-driven-io/emmett')

let store: Store | undefined
const opened = (): Store => {
  if (!store) throw new Error('No event store is open.')
  return store
}

const onPostgres = async (url: string) => {
  const { getPostgreSQLEventStore } = await load<EmmettPostgres>('@event-driven-io/emmett-postgresql')
  return getPostgreSQLEventStore(url, {
    connectionOptions: { pool: new Pool({ connectionString: url, max: connectionsMax }) },
  })
}

const onSqlite = async (fileName: string) => {
  const { getSQLiteEventStore } = await load<EmmettSqlite>('@event-driven-io/emmett-sqlite')
  return getSQLiteEventStore({ fileName })
}

const handlerOf = <Command, Event extends DomainEvent, State>(
  category: string,
  { decide, evolve, initialState }: Decider<Command, Event, State>,
) => {
  const handle = emmett.CommandHandler<State>({
    evolve,
    initialState: () => initialState,
    mapToStreamId: (id) => `${category}-${id}`,
    retry: { onVersionConflict: { ...conflictRetries, shouldRetryError: emmett.isExpectedVersionConflictError } },
  })
  return (id: string, command: Command) => handle(opened(), id, (state) => decide(command, state))
}

const handleLoan = handlerOf('loan', loan)
const { decider: account } = accountStream
const handleAccount = handlerOf('account', account)

const tasks = {
  open: async ({ url }) => {
    const opening = url.startsWith('postgres:') ? await onPostgres(url) : await onSqlite(url)
    // Now, not with the first command: each command holds a connection while the first ones wait for the schema, which
    // needs one too, and with a pool of no more connections than commands nothing ever moves again.
    await opening.schema.migrate()
    store = opening
  },
  fill: async ({ prefix, streams, eventsEach }) => {
    for (let n = 0; n < streams; n++) {
      const id = accountId(prefix, n)
      const events = Array.from({ length: eventsEach }, (_, m) => account.decide(deposit(id, m), account.initialState))
      await opened().appendToStream(`account-${id}`, events.flat())
    }
  },
  run: (load) =>
    drive(load, (n) => {
      if (load.kind === 'deposit') {
        const id = accountId(load.prefix, n % load.streams)
        return handleAccount(id, deposit(id, n))
      }
      const loanId = randomUUID()
      return handleLoan(loanId, requestLoan(loanId))
    }),
} satisfies ContenderTasks

serveTasks(tasks)
