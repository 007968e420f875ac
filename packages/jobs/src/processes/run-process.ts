// Does the steps of one process, one after the other, each recorded in the process's stream before the next.
import { type DomainEvent, Rejection } from '@headwater/deciders/decider'
import type { AnyStreamType, Process, Step } from '@headwater/deciders/process'
import { type EventStore, StreamDeleted } from '@headwater/eventstore/client/client'
import { createCodec } from '@headwater/eventstore/codec'
import type { CommandAnswer, CommandRequest } from '@headwater/eventstore/commands/command-request'
import { type CommandHandler, createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { streamName } from '@headwater/eventstore/stream-name'
import { nextTraceparent, traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import type { Logger } from 'pino'
import { v5 as uuidV5 } from 'uuid'
import { passingCode } from '../outages.ts'

const stepNamespace = 'c41d2a3e-7d0b-4f27-9d0c-5a4e8b1f6a92'
/** A process that is asked this often in a row without an end goes round in a circle. */
const stepsInARowMax = 1_000

/** What became of a process for now: over, active until an input comes, or to be run again. */
export type ProcessOutcome = {
  readonly isOver: boolean
  /** To be run again at this moment. */
  readonly dueAt?: Date | undefined
  /** Why it cannot go on until then. */
  readonly trouble?: string | undefined
}

export type ProcessRunner = {
  /** A command that follows from an input. @throws Rejection */
  readonly send: (process: Process, request: CommandRequest<unknown>) => Promise<CommandAnswer>
  /** @param revision that is known to be in the process's stream. Safe to repeat, also beside another runner. */
  readonly run: (process: Process, id: string, revision: bigint, traceparent: string | null) => Promise<ProcessOutcome>
}

/** A stream with hidden events refuses nothing: an operator has to look at it, and the process waits. */
const waitingFor = (transient: readonly string[] = []) => [...transient, 'stream_truncated']

type Handler = CommandHandler<unknown, unknown>
type HandlerOf = (stream: { readonly category: string }) => Handler

const now = () => new Date().toISOString()

/** One for each stream type that is met. */
const handlersOn = (store: EventStore, logger: Logger): HandlerOf => {
  const handlers = new Map<string, Handler>()
  return (stream) => {
    const known = handlers.get(stream.category)
    if (known) return known
    const made = createCommandHandler({ store, stream: stream as AnyStreamType, logger }) as Handler
    handlers.set(stream.category, made)
    return made
  }
}

const originOf = (commandId: string, caused: string | null) => {
  const traceparent = nextTraceparent(caused ?? undefined)
  return { commandId, requestHash: commandId, actor: 'jobs', traceparent, correlationId: traceIdOf(traceparent) }
}

/** The events that a command left, also when it was sent before. */
const eventsOf = async (store: EventStore, { category, events }: AnyStreamType, answer: CommandAnswer) => {
  if (answer.first === undefined) return []
  const count = Number(answer.revision - answer.first) + 1
  const stored = await store.readStream(streamName(category, answer.id), answer.first, count)
  return createCodec<DomainEvent>({ events }).decodeAll(stored)
}

/** Sends a step. @returns the command that records its answer. @throws what passes by itself, and defects */
const answerTo = async (
  store: EventStore,
  handler: Handler,
  { id, stream, command, accepted, refused }: Step<unknown>,
  transient: readonly string[],
  origin: ReturnType<typeof originOf>,
): Promise<unknown> => {
  try {
    const recordsRefusal = (refusal: Rejection) => passingCode(refusal, transient) === undefined
    const answer = await handler.handle({ ...origin, id, command: command(now()), recordsRefusal })
    return accepted(now(), accepted.length > 1 ? await eventsOf(store, stream, answer) : [])
  } catch (error) {
    if (!(error instanceof Rejection) || passingCode(error, transient) !== undefined) throw error
    return refused(now(), error.code)
  }
}

/** The first step that is due, or when the next one is. */
const dueStep = (pending: readonly Step<never>[]): { readonly step?: Step<never>; readonly dueAt?: Date } => {
  const dueMs = ({ dueAt }: Step<never>) => (dueAt === undefined ? 0 : Date.parse(dueAt))
  const step = pending.find((one) => dueMs(one) <= Date.now())
  if (step) return { step }
  return pending.length === 0 ? {} : { dueAt: new Date(Math.min(...pending.map(dueMs))) }
}

/** @param reached called between two writes */
export const createProcessRunner = ({
  store,
  logger,
  reached = () => undefined,
}: {
  readonly store: EventStore
  readonly logger: Logger
  readonly reached?: () => void
}): ProcessRunner => {
  const handlerOf = handlersOn(store, logger)

  const runSteps = async (
    { stream, next, transient }: Process,
    id: string,
    revision: bigint,
    caused: string | null,
  ) => {
    const own = handlerOf(stream)
    let known = revision
    let before: string | undefined
    for (let steps = 0; steps < stepsInARowMax; steps++) {
      const state = (await own.stateOf(id, known)) as never
      const { step, dueAt } = dueStep(next(state))
      if (!step) return { isOver: stream.decider.isTerminal(state), dueAt }
      if (step.name === before) throw new Error(`The process does not go on after its step ${step.name}.`)
      before = step.name
      const stepId = `${streamName(stream.category, id)}/${step.name}`
      const origin = originOf(uuidV5(stepId, stepNamespace), caused)
      const command = await answerTo(store, handlerOf(step.stream), step, waitingFor(transient), origin)
      reached()
      const answered = originOf(uuidV5(`${stepId}/answered`, stepNamespace), caused)
      known = (await own.handle({ ...answered, id, command })).revision
      reached()
    }
    throw new Error(`The process has done ${stepsInARowMax} steps without an end.`)
  }

  return {
    send: (process, request) => handlerOf(process.stream).handle(request),
    run: async (process, id, revision, caused) => {
      try {
        return await runSteps(process, id, revision, caused)
      } catch (error) {
        if (error instanceof StreamDeleted) return { isOver: true }
        const trouble = passingCode(error, waitingFor(process.transient))
        if (trouble === undefined) throw error
        logger.warn({ process: process.stream.category, err: error }, 'a process waits and will be tried again')
        return { isOver: false, dueAt: new Date(), trouble }
      }
    },
  }
}
