// Dispatches commands to a decider: cached or read state, decision, append; a conflict reads what is new and decides again.
import { type DomainEvent, Rejection } from '@headwater/deciders/decider'
import type { StreamType } from '@headwater/deciders/stream-type'
import type { Logger } from 'pino'
import { type Backoff, waitAfter } from '../backoff.ts'
import { type EventStore, StoreUnavailable, StreamDeleted } from '../client/client.ts'
import { streamName } from '../stream-name.ts'
import { within } from '../within.ts'
import { type CommandRecord, olderCommands } from './command-ids.ts'
import type { CommandAnswer, CommandRequest } from './command-request.ts'
import { decideAll, idempotencyKeyReused, type Outcome, refuseOnDeleted } from './decide-all.ts'
import { currentOf, keepProved, readAfterConflict, refresh, streamMemory } from './stream-memory.ts'
import { StreamTruncated } from './stream-truncated.ts'

/** Of a caller, however the store behaves: below what a gateway waits for a service. */
const answerMsMaxDefault = 10_000
const conflictsMax = 10
const commandsWaitingMax = 10_000
/**
 * A stream weighs one, and one for every command it remembers, at most 1,001: some 1.3 kB each, so 80 MB. The heap of a process that may
 * take 384 MiB ends at about 190 MB.
 */
const cacheWeightMaxDefault = 64_000
/** For streams that a process meets once or twice: 13 MB. */
export const smallCacheWeightMax = 10_000
const conflictBackoff: Backoff = { delayMsMin: 2, delayMsMax: 100 }

export type CommandHandler<Command, State = unknown> = {
  /**
   * Decides and appends, or answers from what is recorded when this commandId was here before. Within `answerMsMax`
   * there is an answer, if only that there is none.
   * @throws Rejection the decider's own, or `conflict`, `revision_mismatch`, `idempotency_key_reused`, `overloaded`,
   *   `unknown_event_type`, `stream_deleted`, `stream_truncated`, `event_store_unavailable` (the outcome is unknown: send
   *   the same command again)
   */
  readonly handle: (request: CommandRequest<Command, State>) => Promise<CommandAnswer>
  /**
   * The answer this commandId was given, if it was given one: for callers who would have to ask a third party before
   * they can build the command.
   * @throws Rejection `idempotency_key_reused`, `unknown_event_type`, `stream_deleted`, `stream_truncated`,
   *   `event_store_unavailable`
   */
  readonly recorded: (
    request: Pick<CommandRequest<Command>, 'id' | 'commandId' | 'requestHash' | 'notBefore' | 'giveUpAtMs'>,
  ) => Promise<CommandAnswer | undefined>
  /**
   * The state of a stream at `revision` or later, from the cache where that is enough.
   * @throws Rejection as `recorded` does
   */
  readonly stateOf: (id: string, revision: bigint) => Promise<State>
}

type Waiting<Command, State> = {
  readonly request: CommandRequest<Command, State>
  /** By `performance.now()`: nobody waits for it any more. */
  readonly giveUpAtMs: number
  readonly resolve: (answer: CommandAnswer) => void
  readonly reject: (error: unknown) => void
}

export type CommandHandlerOptions<Command, Event extends DomainEvent, State> = {
  readonly store: EventStore
  readonly stream: StreamType<Command, Event, State>
  readonly logger: Logger
  readonly answerMsMax?: number
  readonly cacheWeightMax?: number
}

const answerOf = (id: string, record: CommandRecord, appended: boolean): CommandAnswer => ({
  id,
  revision: record.last,
  position: record.position,
  created: record.first === 0n,
  appended,
  first: record.first,
})

/** The answer to a step of a process that its stream refused. */
const refusedBefore = (code: string) => new Rejection(code, 'It was refused, and that is recorded.')

/** Refusals and "nothing to do" rest on the state alone; the other outcomes rest on what is written. */
const restsOnState = (outcome: Outcome): boolean => outcome.kind === 'refused' || outcome.kind === 'nothing to do'

export const createCommandHandler = <Command, Event extends DomainEvent, State>({
  store,
  stream: streamType,
  logger,
  answerMsMax = answerMsMaxDefault,
  cacheWeightMax = cacheWeightMaxDefault,
}: CommandHandlerOptions<Command, Event, State>): CommandHandler<Command, State> => {
  const { category, decider } = streamType
  const memory = streamMemory(store, streamType, cacheWeightMax, logger)
  const { codec, cache } = memory
  const queues = new Map<string, Waiting<Command, State>[]>()
  let waitingCount = 0

  const settle = (waiting: Waiting<Command, State>, outcome: Outcome) => {
    const { id } = waiting.request
    if (outcome.kind === 'refused') waiting.reject(outcome.error)
    else if (outcome.kind === 'nothing to do')
      waiting.resolve({
        id,
        revision: outcome.revision,
        position: outcome.position,
        created: false,
        appended: false,
        first: undefined,
      })
    else if (outcome.record.refusedWith !== undefined) waiting.reject(refusedBefore(outcome.record.refusedWith))
    else waiting.resolve(answerOf(id, outcome.record, outcome.kind === 'appended'))
  }

  /** Decides as many of the waiting commands as one append holds; returns how many were settled. */
  const round = async (stream: string, queue: readonly Waiting<Command, State>[]): Promise<number> => {
    const requests = queue.map(({ request }) => request)
    const giveUpAtMs = Math.max(...queue.map((waiting) => waiting.giveUpAtMs))
    let current = await currentOf(memory, stream)
    let confirmed = false
    const older = olderCommands(store, stream)
    for (let conflicts = 0; ; ) {
      await older.find(current.ids, current.revision, requests, conflicts === 0)
      const decided = decideAll(decider, codec, stream, current, requests, older.found)
      const settleAll = (outcomes: readonly Outcome[]): number => {
        for (const [index, outcome] of outcomes.entries()) settle(queue[index] as Waiting<Command, State>, outcome)
        return outcomes.length
      }

      if (decided.toAppend.length === 0) {
        // A stale cache never refuses: what rests on it is confirmed by reading what is newer.
        if (!confirmed && decided.outcomes.some(restsOnState)) {
          current = await refresh(memory, stream, current)
          confirmed = true
          continue
        }
        return settleAll(decided.outcomes)
      }

      const believed = current.revision < 0n ? 'no_stream' : current.revision
      const reply = await store.append(stream, decided.toAppend, believed, giveUpAtMs)
      if (reply.outcome === 'appended') {
        const after = decided.after(reply.position)
        const isAsDecided = reply.revision === after.known.revision
        // A stream that begins again behind its first revision was soft-deleted.
        if (believed === 'no_stream' && !isAsDecided) throw new StreamTruncated()
        // Only a clean first success proves that exactly these events follow the state that was decided on.
        if (reply.clean && isAsDecided) keepProved(memory, stream, after.known)
        else cache.delete(stream)
        return settleAll(after.outcomes)
      }
      conflicts++
      if (conflicts > conflictsMax) {
        const conflict = new Rejection('conflict', 'Others keep changing the same thing. Try again.')
        const wasRecorded = (outcome: Outcome, index: number) => {
          const { commandId = '' } = requests[index] ?? {}
          const record = current.ids.records.get(commandId) ?? older.found.get(commandId)
          return outcome.kind === 'recorded' && record === outcome.record
        }
        return settleAll(
          decided.outcomes.map((outcome, index) =>
            wasRecorded(outcome, index) ? outcome : { kind: 'refused', error: conflict },
          ),
        )
      }
      if (conflicts > 1) await waitAfter(conflicts - 1, conflictBackoff)
      current = await readAfterConflict(memory, stream, current, reply.clean)
      confirmed = true
    }
  }

  /** What nobody waits for is not begun. */
  const dropGivenUp = (queue: Waiting<Command, State>[]) => {
    const now = performance.now()
    const waiting = queue.filter(({ giveUpAtMs }) => giveUpAtMs > now)
    if (waiting.length === queue.length) return
    waitingCount -= queue.length - waiting.length
    queue.splice(0, queue.length, ...waiting)
  }

  const work = async (stream: string, queue: Waiting<Command, State>[]) => {
    let alone = 0
    for (;;) {
      dropGivenUp(queue)
      if (queue.length === 0) break
      const together = alone > 0 ? queue.slice(0, 1) : queue.slice()
      let settled = together.length
      try {
        settled = await round(stream, together)
      } catch (error) {
        cache.delete(stream)
        if (error instanceof StreamDeleted) {
          for (const { request, reject } of together) reject(refuseOnDeleted(decider, request, error))
        } else if (together.length > 1 && !(error instanceof StoreUnavailable)) {
          // One command's append that the store refuses must not take its neighbours with it.
          alone = together.length
          continue
        } else {
          logger.warn({ stream, err: error }, 'the outcome of a command is unknown')
          for (const { reject } of together) reject(error)
        }
      }
      alone = Math.max(0, alone - settled)
      queue.splice(0, settled)
      waitingCount -= settled
    }
    queues.delete(stream)
  }

  const limitOf = ({ giveUpAtMs = Number.POSITIVE_INFINITY }: Pick<CommandRequest<Command>, 'giveUpAtMs'>): number =>
    Math.min(performance.now() + answerMsMax, giveUpAtMs)

  const inTime = <Result>(giveUpAtMs: number, work: Promise<Result>): Promise<Result> =>
    within(
      // Timers count whole milliseconds and may be one early: who is told that time is over must not be served after all.
      Math.ceil(giveUpAtMs - performance.now()) + 1,
      work,
      () => new StoreUnavailable(new Error('There was no answer in time.')),
    )

  const enqueue = (request: CommandRequest<Command, State>, giveUpAtMs: number): Promise<CommandAnswer> =>
    new Promise((resolve, reject) => {
      if (waitingCount >= commandsWaitingMax)
        return reject(new Rejection('overloaded', 'Too many commands are waiting. Try again in a moment.'))
      waitingCount++
      const waiting = { request, giveUpAtMs, resolve, reject }
      const stream = streamName(category, request.id)
      const queue = queues.get(stream)
      if (queue) {
        queue.push(waiting)
        return
      }
      const started = [waiting]
      queues.set(stream, started)
      void work(stream, started)
    })

  const findRecorded: CommandHandler<Command>['recorded'] = async (request) => {
    const { id, commandId, requestHash } = request
    const stream = streamName(category, id)
    const cached = await currentOf(memory, stream)
    const { ids, revision } = cached.ids.records.has(commandId) ? cached : await refresh(memory, stream, cached)
    const older = olderCommands(store, stream)
    await older.find(ids, revision, [request], true)
    const record = ids.records.get(commandId) ?? older.found.get(commandId)
    if (!record) return undefined
    if (record.requestHash !== requestHash) throw idempotencyKeyReused()
    if (record.refusedWith !== undefined) throw refusedBefore(record.refusedWith)
    return answerOf(id, record, false)
  }

  const stateAt = async (stream: string, revision: bigint): Promise<State> => {
    const cached = await currentOf(memory, stream)
    const { state } = cached.revision >= revision ? cached : await refresh(memory, stream, cached)
    return state
  }

  return {
    handle: (request) => {
      const giveUpAtMs = limitOf(request)
      return inTime(giveUpAtMs, enqueue(request, giveUpAtMs))
    },
    recorded: (request) => inTime(limitOf(request), findRecorded(request)),
    stateOf: (id, revision) => inTime(limitOf({}), stateAt(streamName(category, id), revision)),
  }
}
