// Dispatches commands to a decider: state from cache or store, decision, append; after a conflict it reads newer events and decides again.
import { type DomainEvent, Rejection } from '@headwater/deciders/decider'
import type { StreamType } from '@headwater/deciders/stream-type'
import type { Logger } from 'pino'
import { type EventStore, StoreUnavailable, StreamDeleted } from '../client/client.ts'
import { streamName } from '../stream-name.ts'
import { within } from '../within.ts'
import { olderCommands } from './command-ids.ts'
import type { CommandAnswer, CommandRequest } from './command-request.ts'
import { idempotencyKeyReused, refuseOnDeleted } from './decide-all.ts'
import { answerOf, decideAndAppend, refusedBefore, type Waiting } from './decide-and-append.ts'
import { currentOf, refresh, type StreamMemory, streamMemory } from './stream-memory.ts'

/** Limit for every answer; below the time that a gateway waits for a service. */
const answerMsMaxDefault = 10_000
const commandsWaitingMax = 10_000
/**
 * A stream weighs one, plus one for every command in memory, at most 1,001: about 1.3 kB each, so 80 MB. The heap of a
 * process with 384 MiB is limited to about 190 MB.
 */
const cacheWeightMaxDefault = 64_000
/** For streams that a process needs once or twice: 13 MB. */
export const smallCacheWeightMax = 10_000

export type CommandHandler<Command, State = unknown> = {
  /**
   * Decides and appends, or answers a repeated commandId from its recorded events. Settles within `answerMsMax`.
   * @throws Rejection of the decider, or `conflict`, `revision_mismatch`, `idempotency_key_reused`, `overloaded`,
   *   `unknown_event_type`, `stream_deleted`, `stream_truncated`, `event_store_unavailable` (the outcome is unknown: send
   *   the same command again)
   */
  readonly handle: (request: CommandRequest<Command, State>) => Promise<CommandAnswer>
  /**
   * The recorded answer to this commandId, if there is one: for callers that would have to ask a third party before they
   * can build the command.
   * @throws Rejection `idempotency_key_reused`, `unknown_event_type`, `stream_deleted`, `stream_truncated`,
   *   `event_store_unavailable`
   */
  readonly recorded: (
    request: Pick<CommandRequest<Command>, 'id' | 'commandId' | 'requestHash' | 'notBefore' | 'deadlineMs'>,
  ) => Promise<CommandAnswer | undefined>
  /**
   * The state of a stream at `revision` or later, from the cache where that is enough.
   * @throws Rejection as `recorded` does
   */
  readonly stateOf: (id: string, revision: bigint) => Promise<State>
}

export type CommandHandlerOptions<Command, Event extends DomainEvent, State> = {
  readonly store: EventStore
  readonly stream: StreamType<Command, Event, State>
  readonly logger: Logger
  readonly answerMsMax?: number
  readonly cacheWeightMax?: number
}

/** Each stream has a queue of commands, which one worker empties. */
type Handler<Command, Event extends DomainEvent, State> = Required<CommandHandlerOptions<Command, Event, State>> & {
  readonly memory: StreamMemory<Event, State>
  readonly queues: Map<string, Waiting<Command, State>[]>
  waitingCount: number
}

/** Commands past their deadline are not sent. */
const dropGivenUp = <Command, Event extends DomainEvent, State>(
  handler: Handler<Command, Event, State>,
  queue: Waiting<Command, State>[],
): void => {
  const now = performance.now()
  const waiting = queue.filter(({ deadlineMs }) => deadlineMs > now)
  if (waiting.length === queue.length) return
  handler.waitingCount -= queue.length - waiting.length
  queue.splice(0, queue.length, ...waiting)
}

const work = async <Command, Event extends DomainEvent, State>(
  handler: Handler<Command, Event, State>,
  stream: string,
  queue: Waiting<Command, State>[],
): Promise<void> => {
  const { memory, logger } = handler
  const { decider } = handler.stream
  let alone = 0
  for (;;) {
    dropGivenUp(handler, queue)
    if (queue.length === 0) break
    const together = alone > 0 ? queue.slice(0, 1) : queue.slice()
    let settled = together.length
    try {
      settled = await decideAndAppend(memory, decider, stream, together)
    } catch (error) {
      memory.cache.delete(stream)
      if (error instanceof StreamDeleted) {
        for (const { request, reject } of together) reject(refuseOnDeleted(decider, request, error))
      } else if (together.length > 1 && !(error instanceof StoreUnavailable)) {
        // A command whose append the store refuses must not fail the others.
        alone = together.length
        continue
      } else {
        logger.warn({ stream, err: error }, 'the outcome of a command is unknown')
        for (const { reject } of together) reject(error)
      }
    }
    alone = Math.max(0, alone - settled)
    queue.splice(0, settled)
    handler.waitingCount -= settled
  }
  handler.queues.delete(stream)
}

const enqueue = <Command, Event extends DomainEvent, State>(
  handler: Handler<Command, Event, State>,
  request: CommandRequest<Command, State>,
  deadlineMs: number,
): Promise<CommandAnswer> =>
  new Promise((resolve, reject) => {
    if (handler.waitingCount >= commandsWaitingMax)
      return reject(new Rejection('overloaded', 'Too many commands are waiting. Try again in a moment.'))
    handler.waitingCount++
    const waiting = { request, deadlineMs, resolve, reject }
    const stream = streamName(handler.stream.category, request.id)
    const queue = handler.queues.get(stream)
    if (queue) {
      queue.push(waiting)
      return
    }
    const started = [waiting]
    handler.queues.set(stream, started)
    void work(handler, stream, started)
  })

const findRecorded = async <Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  request: Parameters<CommandHandler<never>['recorded']>[0],
): Promise<CommandAnswer | undefined> => {
  const { id, commandId, requestHash } = request
  const stream = streamName(memory.streamType.category, id)
  const cached = await currentOf(memory, stream)
  const { ids, revision } = cached.ids.records.has(commandId) ? cached : await refresh(memory, stream, cached)
  const older = olderCommands(memory.store, stream)
  await older.find(ids, revision, [request], true)
  const record = ids.records.get(commandId) ?? older.found.get(commandId)
  if (!record) return undefined
  if (record.requestHash !== requestHash) throw idempotencyKeyReused()
  if (record.refusedWith !== undefined) throw refusedBefore(record.refusedWith)
  return answerOf(id, record, false)
}

const stateAt = async <Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  id: string,
  revision: bigint,
): Promise<State> => {
  const stream = streamName(memory.streamType.category, id)
  const cached = await currentOf(memory, stream)
  return (cached.revision >= revision ? cached : await refresh(memory, stream, cached)).state
}

const inTime = <Result>(deadlineMs: number, work: Promise<Result>): Promise<Result> =>
  within(
    // Timers have whole milliseconds and may fire one early: the command must be past its deadline by then.
    Math.ceil(deadlineMs - performance.now()) + 1,
    work,
    () => new StoreUnavailable(new Error('There was no answer in time.')),
  )

export const createCommandHandler = <Command, Event extends DomainEvent, State>({
  store,
  stream,
  logger,
  answerMsMax = answerMsMaxDefault,
  cacheWeightMax = cacheWeightMaxDefault,
}: CommandHandlerOptions<Command, Event, State>): CommandHandler<Command, State> => {
  const memory = streamMemory(store, stream, cacheWeightMax, logger)
  const queues = new Map<string, Waiting<Command, State>[]>()
  const handler = { store, stream, logger, answerMsMax, cacheWeightMax, memory, queues, waitingCount: 0 }
  const limitOf = ({ deadlineMs = Number.POSITIVE_INFINITY }: Pick<CommandRequest<Command>, 'deadlineMs'>): number =>
    Math.min(performance.now() + answerMsMax, deadlineMs)
  return {
    handle: (request) => {
      const deadlineMs = limitOf(request)
      return inTime(deadlineMs, enqueue(handler, request, deadlineMs))
    },
    recorded: (request) => inTime(limitOf(request), findRecorded(memory, request)),
    stateOf: (id, revision) => inTime(limitOf({}), stateAt(memory, id, revision)),
  }
}
