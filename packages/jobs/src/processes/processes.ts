// The processes of all contexts as a follower of the event store: inputs become commands, own events become steps.
import type { Context } from '@headwater/deciders/context'
import { type DomainEvent, Rejection } from '@headwater/deciders/decider'
import type { Process } from '@headwater/deciders/process'
import { StoreUnavailable } from '@headwater/eventstore/client/client'
import { type Codec, createCodec, type RecordedEvent } from '@headwater/eventstore/codec'
import { limitTo } from '@headwater/eventstore/limited'
import { formatPosition, parsePosition } from '@headwater/eventstore/position'
import { categoryOf, idOf, streamName } from '@headwater/eventstore/stream-name'
import { nextTraceparent, traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import type { Projection } from '@headwater/projections/model/projection'
import type { PoolClient } from 'pg'
import { v5 as uuidV5 } from 'uuid'
import { enterJobs } from '../ledger/enter-jobs.ts'
import type { Job } from '../ledger/ledger.ts'
import { passingCode } from '../outages.ts'
import { type JobRow, jobRow } from '../reactions.ts'
import type { Consequences } from '../sink.ts'
import { type Task, triesMaxDefault } from '../task.ts'
import type { ProcessOutcome, ProcessRunner } from './run-process.ts'

/** The name of the follower, its lease and its checkpoint. */
export const processesFollower = 'processes'
/** The job that runs a process later. Stored: it never changes. */
export const runProcessJob = 'run process'
const inputNamespace = '5d9c7b30-2f36-4a0f-8d6b-0e4f7c1b9a55'
/** Processes at once; each does one step at a time. */
const processesAtOnceMax = 64
/** Postgres' clock, by which jobs run, may be ahead of the clock here. */
const clocksDifferMsMax = 60_000

/** One thing to do for a process: a command that follows from an input or, without one, its next steps. */
type Work = {
  readonly id: string
  /** The category of the process. */
  readonly kind: string
  readonly position: string
  readonly eventId: string
  /** Of the process. */
  readonly stream: string
  /** In the process's stream. */
  readonly revision: number | null
  readonly commandId: string | null
  /** JSON. It is kept in memory only. */
  readonly command: string | null
  readonly traceparent: string | null
  readonly recordedAtMs: number
}

const columns = {
  id: 'text',
  kind: 'text',
  position: 'text',
  eventId: 'text',
  stream: 'text',
  revision: 'integer or null',
  commandId: 'text or null',
  command: 'text or null',
  traceparent: 'text or null',
  recordedAtMs: 'integer',
} as const

const processesIn = (contexts: readonly Context[]): ReadonlyMap<string, Process> =>
  new Map(
    contexts.flatMap(({ processes = [] }) => processes.map((process) => [process.stream.category, process] as const)),
  )

const workFrom = (
  processes: ReadonlyMap<string, Process>,
): Projection<DomainEvent, { readonly consequences: Work }> => {
  const codecs = new Map<string, Codec<DomainEvent>>()
  const inputs = [...processes].flatMap(([kind, process]) => process.inputs.map((input) => ({ kind, ...input })))
  for (const { stream } of inputs) codecs.set(stream.category, createCodec<DomainEvent>(stream))
  for (const [category, { stream }] of processes) codecs.set(category, createCodec<DomainEvent>(stream))
  const byInput = Map.groupBy(inputs, ({ stream, type }) => `${stream.category}/${type}`)

  const workOf = (event: RecordedEvent<DomainEvent>): readonly Work[] => {
    const category = categoryOf(event.stream)
    const common = {
      eventId: event.id,
      position: formatPosition(event.position),
      traceparent: typeof event.metadata.traceparent === 'string' ? event.metadata.traceparent : null,
      recordedAtMs: event.recordedAt.getTime(),
    }
    const given = { ...event, recordedAt: event.recordedAt.toISOString() }
    const commands = (byInput.get(`${category}/${event.type}`) ?? []).flatMap(({ kind, toCommands }) =>
      toCommands(given).map(({ id, command }) => {
        const stream = streamName(kind, id)
        const commandId = uuidV5(`${event.id}/${stream}`, inputNamespace)
        return {
          ...common,
          id: `${event.id}/${stream}`,
          kind,
          stream,
          revision: null,
          commandId,
          command: JSON.stringify(command),
        }
      }),
    )
    if (!processes.has(category)) return commands
    const own = { stream: event.stream, revision: Number(event.revision), commandId: null, command: null }
    return [...commands, { ...common, ...own, id: event.id, kind: category }]
  }

  return {
    name: processesFollower,
    version: 1,
    categories: [...codecs.keys()],
    codec: {
      decode: (stored) => {
        const codec = codecs.get(categoryOf(stored.stream))
        if (!codec) throw new Error(`No process follows the stream ${stored.stream}.`)
        return codec.decode(stored)
      },
    },
    tables: { consequences: { key: 'id', columns, indexes: [] } },
    keys: (event) => ({ consequences: workOf(event).map(({ id }) => id) }),
    project: (event, { consequences }) => {
      for (const work of workOf(event)) consequences.set(work.id, work)
    },
  }
}

type Ran = ProcessOutcome & { readonly stream: string; readonly job: JobRow | undefined }

/** The last event of a process names the job that runs it again. */
const laterJob = (work: Work, { dueAt }: ProcessOutcome): JobRow | undefined => {
  const position = parsePosition(work.position)
  if (!dueAt || !position) return undefined
  const { eventId: id, stream, traceparent, recordedAtMs } = work
  const event = { id, stream, position, metadata: { traceparent }, recordedAt: new Date(recordedAtMs) }
  return jobRow(event, { kind: runProcessJob, timer: stream, dueAt: dueAt.toISOString() })
}

const writeOutcomes = async (client: PoolClient, ran: readonly Ran[]): Promise<void> => {
  const over = ran.filter(({ isOver }) => isOver).map(({ stream }) => stream)
  const active = ran.filter(({ isOver }) => !isOver)
  if (over.length > 0) await client.query('delete from headwater.processes where stream = any($1)', [over])
  if (active.length > 0)
    await client.query(
      `insert into headwater.processes (stream, process, due_at, trouble)
       select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
       on conflict (stream) do update set due_at = excluded.due_at, trouble = excluded.trouble,
         since = case when (processes.trouble is null, processes.due_at is null) = (excluded.trouble is null, excluded.due_at is null)
           then processes.since else now() end`,
      [
        active.map(({ stream }) => stream),
        active.map(({ stream }) => categoryOf(stream)),
        active.map(({ dueAt }) => dueAt ?? null),
        active.map(({ trouble }) => trouble ?? null),
      ],
    )
  await enterJobs(
    client,
    ran.flatMap(({ job }) => job ?? []),
  )
}

export const processesOf = (contexts: readonly Context[], runner: ProcessRunner): Consequences<Work> => {
  const processes = processesIn(contexts)
  const processOf = (stream: string): Process => {
    const process = processes.get(categoryOf(stream))
    if (!process) throw new Error(`There is no process ${categoryOf(stream)}.`)
    return process
  }

  /** The inputs of one process in order, then its steps. */
  const doWork = async (stream: string, work: readonly Work[]): Promise<readonly Ran[]> => {
    const process = processOf(stream)
    for (const { commandId, command, traceparent: caused } of work) {
      if (commandId === null || command === null) continue
      const traceparent = nextTraceparent(caused ?? undefined)
      const origin = { actor: 'jobs', traceparent, correlationId: traceIdOf(traceparent) }
      const request = { ...origin, commandId, requestHash: commandId, id: idOf(stream), command: JSON.parse(command) }
      await runner.send(process, request).catch((error: unknown) => {
        throw passingCode(error) === undefined ? error : new StoreUnavailable(error)
      })
    }
    const last = work.findLast(({ revision }) => revision !== null)
    if (last?.revision == null) return []
    const outcome = await runner.run(process, idOf(stream), BigInt(last.revision), last.traceparent)
    return [{ ...outcome, stream, job: laterJob(last, outcome) }]
  }

  return {
    name: processesFollower,
    projection: workFrom(processes),
    kinds: [...processes.keys()],
    act: async (rows) => {
      const limited = limitTo(processesAtOnceMax)
      const byStream = [...Map.groupBy(rows, ({ stream }) => stream)]
      const ran = (await Promise.all(byStream.map(([stream, work]) => limited(() => doWork(stream, work))))).flat()
      return (client) => writeOutcomes(client, ran)
    },
  }
}

/** The job that runs a process that had to wait. Its steps lead to events, and these to what comes after. */
export const runProcessTask = (contexts: readonly Context[], runner: ProcessRunner): Task<object> => {
  const processes = processesIn(contexts)
  return {
    triesMax: triesMaxDefault,
    run: async ({ stream, traceparent }: Job, { later }) => {
      const process = processes.get(categoryOf(stream))
      if (!process)
        throw new Rejection('process_waiting', `This version does not know the process ${categoryOf(stream)}.`)
      const { dueAt, trouble } = await runner.run(process, idOf(stream), 0n, traceparent)
      // What is due much later has its own job: that of the event which led to it.
      if (trouble !== undefined) throw new Rejection('process_waiting', `It waits: ${trouble}.`)
      const waitMs = dueAt ? dueAt.getTime() - Date.now() : Number.POSITIVE_INFINITY
      if (waitMs < clocksDifferMsMax) later(Math.max(waitMs, 0))
    },
  }
}
