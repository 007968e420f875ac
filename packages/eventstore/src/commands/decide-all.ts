// Decides the queued commands of a stream in order, each on the state after the previous one, into the events of one append.
import { type Decider, type DomainEvent, Rejection } from '@headwater/deciders/decider'
import { parse, v5 as uuidV5 } from 'uuid'
import type { EventToAppend, StreamDeleted } from '../client/client.ts'
import { type Codec, isOfEngine, schemaText, stepRefusedType } from '../codec.ts'
import { beginning, type Position } from '../position.ts'
import { type CommandRecord, remember } from './command-ids.ts'
import type { CommandRequest } from './command-request.ts'
import type { KnownStream } from './known-stream.ts'

const appendEventsMax = 500
/** EventStoreDB accepts 1 MiB per append; metadata and envelopes are not counted here. */
const appendDataBytesMax = 256 * 1024
const eventIdNamespace = parse('a3a8cf43-6a09-4a3d-8f4e-5f4f7d1e6c5e')

/** The outcome of one command. */
export type Outcome =
  /** `appended`: by this attempt, once `toAppend` is written; `recorded`: by an earlier attempt. */
  | { readonly kind: 'appended' | 'recorded'; readonly record: CommandRecord }
  | { readonly kind: 'nothing to do'; readonly revision: bigint; readonly position: Position }
  | { readonly kind: 'refused'; readonly error: unknown }

export type Decided<State> = {
  /** One per command, for as many commands as fit one append; the others wait. */
  readonly outcomes: readonly Outcome[]
  readonly toAppend: readonly EventToAppend[]
  /** The outcomes and the stream once `toAppend` is written and ends at `position`. */
  readonly after: (position: Position) => { readonly outcomes: readonly Outcome[]; readonly known: KnownStream<State> }
}

export const idempotencyKeyReused = (): Rejection =>
  new Rejection('idempotency_key_reused', 'This idempotency key was used for another request.')

const revisionMismatch = (revision: bigint): Rejection =>
  new Rejection('revision_mismatch', 'It has changed since you looked.', { revision: String(revision) })

/** Answers for a deleted stream as if it had never existed. */
export const refuseOnDeleted = <Command, State>(
  { initialState, decide }: Pick<Decider<Command, DomainEvent, State>, 'initialState' | 'decide'>,
  { guard, command }: CommandRequest<Command, State>,
  deleted: StreamDeleted,
): unknown => {
  try {
    guard?.(initialState)
    decide(command, initialState)
  } catch (refusal) {
    if (refusal instanceof Rejection && /_not_found$/.test(refusal.code)) return refusal
  }
  return deleted
}

/** Request metadata stored on each event. */
type Recorded = Pick<CommandRequest<unknown>, 'commandId' | 'requestHash' | 'actor' | 'correlationId' | 'traceparent'>

const metadataOf = ({ commandId, requestHash, actor, correlationId, traceparent }: Recorded, schema: number) => ({
  $correlationId: correlationId ?? commandId,
  $causationId: commandId,
  commandId,
  requestHash,
  actor,
  ...(traceparent === undefined ? {} : { traceparent }),
  schema,
})

/**
 * The events of one command, ready to append. Their IDs depend on the content, too: two replicas that decide the same
 * command on different outside facts must conflict (docs/decisions/004).
 */
const toAppendOf = (
  { schemaOf }: Pick<Codec<DomainEvent>, 'schemaOf'>,
  stream: string,
  request: Recorded,
  events: readonly DomainEvent[],
  json: readonly string[],
) =>
  events.map(({ type, data }, index): EventToAppend => {
    const name = `${request.commandId}/${stream}/${index}/${request.requestHash}/${type}/${json[index]}`
    // As bytes: the uuid library is slow with text.
    return {
      id: uuidV5(Buffer.from(name), eventIdNamespace),
      type,
      data,
      metadata: metadataOf(request, schemaOf(type)),
    }
  })

/** The append so far, and the state before the next command. */
type Round<Command, Event extends DomainEvent, State> = {
  readonly decider: Decider<Command, Event, State>
  readonly codec: Codec<Event>
  readonly stream: string
  readonly known: KnownStream<State>
  /** Recorded commands that are no longer in the memory of `known`. */
  readonly older: ReadonlyMap<string, CommandRecord>
  /** Records of the commands in `toAppend`. */
  readonly records: Map<string, CommandRecord>
  readonly toAppend: EventToAppend[]
  bytes: number
  state: State
  revision: bigint
}

type Decision<Event> =
  | { readonly events: readonly Event[]; readonly refusedWith?: string }
  | { readonly kind: 'refused'; readonly error: unknown }

const decisionOn = <Command, Event extends DomainEvent, State>(
  { decider: { decide }, state }: Round<Command, Event, State>,
  { command, recordsRefusal }: CommandRequest<Command, State>,
): Decision<Event> => {
  try {
    return { events: decide(command, state) }
  } catch (error) {
    if (!(error instanceof Rejection) || !recordsRefusal?.(error)) return { kind: 'refused', error }
    return { events: [], refusedWith: error.code }
  }
}

const decideOne = <Command, Event extends DomainEvent, State>(
  round: Round<Command, Event, State>,
  request: CommandRequest<Command, State>,
): Outcome | 'append is full' => {
  const { known, records, toAppend, state, revision } = round
  const { commandId, requestHash, expectedRevision, guard } = request
  try {
    guard?.(state)
  } catch (error) {
    return { kind: 'refused', error }
  }
  const record = records.get(commandId) ?? known.ids.records.get(commandId) ?? round.older.get(commandId)
  if (record && record.requestHash !== requestHash) return { kind: 'refused', error: idempotencyKeyReused() }
  if (record) return { kind: 'recorded', record }
  if (expectedRevision !== undefined && expectedRevision !== revision)
    return { kind: 'refused', error: revisionMismatch(revision) }
  const decision = decisionOn(round, request)
  if ('kind' in decision) return decision
  const { events, refusedWith } = decision
  const written: readonly DomainEvent[] =
    refusedWith === undefined ? events : [{ type: stepRefusedType, data: { code: refusedWith } }]
  if (written.length === 0) return { kind: 'nothing to do', revision, position: known.position }
  const json = written.map(({ data }) => JSON.stringify(data))
  for (const data of json) round.bytes += Buffer.byteLength(data)
  if (toAppend.length > 0 && (toAppend.length + written.length > appendEventsMax || round.bytes > appendDataBytesMax))
    return 'append is full'
  const fresh = {
    requestHash,
    first: revision + 1n,
    last: revision + BigInt(written.length),
    position: beginning, // set once it is written
    recordedAtMs: Date.now(),
    refusedWith,
  }
  records.set(commandId, fresh)
  toAppend.push(...toAppendOf(round.codec, round.stream, request, written, json))
  round.state = events.reduce(round.decider.evolve, state)
  round.revision = fresh.last
  return { kind: 'appended', record: fresh }
}

/** @param older recorded commands that are no longer in the memory of `known` */
export const decideAll = <Command, Event extends DomainEvent, State>(
  decider: Decider<Command, Event, State>,
  codec: Codec<Event>,
  stream: string,
  known: KnownStream<State>,
  requests: readonly CommandRequest<Command, State>[],
  older: ReadonlyMap<string, CommandRecord>,
): Decided<State> => {
  const { state, revision } = known
  const records = new Map<string, CommandRecord>()
  const round = {
    decider,
    codec,
    stream,
    known,
    older,
    records,
    toAppend: [] as EventToAppend[],
    bytes: 0,
    state,
    revision,
  }
  const outcomes: Outcome[] = []
  for (const request of requests) {
    const outcome = decideOne(round, request)
    if (outcome === 'append is full') break
    outcomes.push(outcome)
  }
  return {
    outcomes,
    toAppend: round.toAppend,
    after: (position) => {
      remember(
        known.ids,
        records.entries().map(([commandId, record]) => [commandId, { ...record, position }] as const),
      )
      for (const event of round.toAppend) if (!isOfEngine(event)) known.schemas.add(schemaText(event))
      const written = new Set<CommandRecord>(records.values())
      return {
        outcomes: outcomes.map((outcome) => {
          if (outcome.kind === 'nothing to do') return { ...outcome, position }
          if (outcome.kind === 'refused' || !written.has(outcome.record)) return outcome
          return { ...outcome, record: { ...outcome.record, position } }
        }),
        known: { ...known, state: round.state, revision: round.revision, position },
      }
    },
  }
}
