// Decides the queued commands of a stream and appends their events; after a conflict it reads newer events and decides again.
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
  /** By `performance.now()`. */
  readonly deadlineMs: number
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

/** Refusals and "nothing to do" depend only on the state, which must not be stale; an append checks the other outcomes. */
const needsFreshState = (outcome: Outcome): boolean => outcome.kind === 'refused' || outcome.kind === 'nothing to do'

const settle = <Command, State>(waiting: Waiting<Command, State>, outcome: Outcome): void => {
  const { id } = waiting.request
  if (outcome.kind === 'refused') waiting.reject(outcome.error)
  else if (outcome.kind === 'nothing to do') {
    const { revision, position } = outcome
    waiting.resolve({ id, revision, position, created: false, appended: false, first: undefined })
  } else if (outcome.record.refusedWith !== undefined) waiting.reject(refusedBefore(outcome.record.refusedWith))
  else waiting.resolve(answerOf(id, outcome.record, outcome.kind === 'appended'))
}

/** Commands recorded earlier keep their answer. A repeat within the same append has no position yet. */
const conflictUnlessRecorded = (outcome: Outcome): Outcome =>
  outcome.kind === 'recorded' && outcome.record.position !== beginning
    ? outcome
    : { kind: 'refused', error: new Rejection('conflict', 'Others keep changing the same thing. Try again.') }

/** Settles as many queued commands as fit one append; returns their number. */
export const decideAndAppend = async <Command, Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  decider: Decider<Command, Event, State>,
  stream: string,
  queue: readonly Waiting<Command, State>[],
): Promise<number> => {
  const { store, codec, cache } = memory
  const requests = queue.map(({ request }) => request)
  const deadlineMs = Math.max(...queue.map((waiting) => waiting.deadlineMs))
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
      // A stale cache never refuses: newer events are read first.
      if (confirmed || !decided.outcomes.some(needsFreshState)) return settleAll(decided.outcomes)
      current = await refresh(memory, stream, current)
      confirmed = true
      continue
    }
    const believed = current.revision < 0n ? 'no_stream' : current.revision
    const reply = await store.append(stream, decided.toAppend, believed, deadlineMs)
    if (reply.outcome === 'appended') {
      const after = decided.after(reply.position)
      const isAsDecided = reply.revision === after.known.revision
      // A new stream that does not begin at revision 0 was soft-deleted.
      if (believed === 'no_stream' && !isAsDecided) throw new StreamTruncated()
      // Only a successful first attempt proves that exactly these events follow the decided state.
      if (reply.firstAttempt && isAsDecided) keepProved(memory, stream, after.known)
      else cache.delete(stream)
      return settleAll(after.outcomes)
    }
    conflicts++
    if (conflicts > conflictsMax) return settleAll(decided.outcomes.map(conflictUnlessRecorded))
    if (conflicts > 1) await waitAfter(conflicts - 1, conflictBackoff)
    current = await readAfterConflict(memory, stream, current, reply.firstAttempt)
    confirmed = true
  }
}
