// Decides the commands that wait for a stream and appends their events: what others wrote meanwhile is read, and it is decided again.
import { type Decider, type DomainEvent, Rejection } from '@headwater/deciders/decider'
import { type Backoff, waitAfter } from '../backoff.ts'
import { beginning } from '../position.ts'
import { type CommandRecord, olderCommands } from './command-ids.ts'
import type { CommandAnswer, CommandRequest } from './command-request.ts'
import { decideAll, type Outcome } from './decide-all.ts'
import { currentOf, keepProved, readAfterConflict, refresh, type StreamMemory } from './stream-memory.ts'
import { StreamTruncated } from './stream-truncated.ts'

const conflictsMax = 10
const conflictBackoff: Backoff = { delayMsMin: 2, delayMsMax: 100 }

export type Waiting<Command, State> = {
  readonly request: CommandRequest<Command, State>
  /** By `performance.now()`: the caller has its answer by then. */
  readonly giveUpAtMs: number
  readonly resolve: (answer: CommandAnswer) => void
  readonly reject: (error: unknown) => void
}

export const answerOf = (id: string, record: CommandRecord, appended: boolean): CommandAnswer => ({
  id,
  revision: record.last,
  position: record.position,
  created: record.first === 0n,
  appended,
  first: record.first,
})

/** The answer to a step of a process that its stream refused. */
export const refusedBefore = (code: string) => new Rejection(code, 'It was refused, and that is recorded.')

/** Refusals and "nothing to do" rest on the state alone; the other outcomes rest on what is written. */
const restsOnState = (outcome: Outcome): boolean => outcome.kind === 'refused' || outcome.kind === 'nothing to do'

const settle = <Command, State>(waiting: Waiting<Command, State>, outcome: Outcome): void => {
  const { id } = waiting.request
  if (outcome.kind === 'refused') waiting.reject(outcome.error)
  else if (outcome.kind === 'nothing to do') {
    const { revision, position } = outcome
    waiting.resolve({ id, revision, position, created: false, appended: false, first: undefined })
  } else if (outcome.record.refusedWith !== undefined) waiting.reject(refusedBefore(outcome.record.refusedWith))
  else waiting.resolve(answerOf(id, outcome.record, outcome.kind === 'appended'))
}

/** What was recorded before keeps its answer. A repeat of a command of the same append has no position yet. */
const conflictUnlessRecorded = (outcome: Outcome): Outcome =>
  outcome.kind === 'recorded' && outcome.record.position !== beginning
    ? outcome
    : { kind: 'refused', error: new Rejection('conflict', 'Others keep changing the same thing. Try again.') }

/** As many of the waiting commands as one append holds; returns how many were settled. */
export const decideAndAppend = async <Command, Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  decider: Decider<Command, Event, State>,
  stream: string,
  queue: readonly Waiting<Command, State>[],
): Promise<number> => {
  const { store, codec, cache } = memory
  const requests = queue.map(({ request }) => request)
  const giveUpAtMs = Math.max(...queue.map((waiting) => waiting.giveUpAtMs))
  const settleAll = (outcomes: readonly Outcome[]): number => {
    for (const [index, outcome] of outcomes.entries()) settle(queue[index] as Waiting<Command, State>, outcome)
    return outcomes.length
  }
  let current = await currentOf(memory, stream)
  let confirmed = false
  const older = olderCommands(store, stream)
  for (let conflicts = 0; ; ) {
    await older.find(current.ids, current.revision, requests, conflicts === 0)
    const decided = decideAll(decider, codec, stream, current, requests, older.found)
    if (decided.toAppend.length === 0) {
      // A stale cache never refuses: what rests on it is confirmed by reading what is newer.
      if (confirmed || !decided.outcomes.some(restsOnState)) return settleAll(decided.outcomes)
      current = await refresh(memory, stream, current)
      confirmed = true
      continue
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
    if (conflicts > conflictsMax) return settleAll(decided.outcomes.map(conflictUnlessRecorded))
    if (conflicts > 1) await waitAfter(conflicts - 1, conflictBackoff)
    current = await readAfterConflict(memory, stream, current, reply.clean)
    confirmed = true
  }
}
