// The Projections service as grpc-js serves it.
import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { Action } from '../security/access.ts'
import type { Guard } from '../security/guard.ts'
import type { SupportedMethod } from '../streams/replies.ts'
import { fail } from '../wire/calls.ts'
import { failureOf, invalidArgument, Refused } from '../wire/errors.ts'
import { method } from '../wire/method.ts'
import { InvalidSource } from './catalogue.ts'
import {
  type Details,
  decodeDisable,
  decodeNamed,
  decodeStatistics,
  decodeUpdate,
  emptyState,
  encodeStatistics,
} from './messages.ts'
import type { Projection } from './projection.ts'
import type { Projections } from './projections.ts'

const service = 'event_store.client.projections.Projections'
const done = Buffer.alloc(0)

// Create is listed though it is refused: otherwise client 6.2.1 would use HTTP, and get no answer.
export const projectionMethods: SupportedMethod[] = [
  { service: service.toLowerCase(), method: 'create', features: ['track_emitted_streams'] },
  ...['update', 'delete', 'statistics', 'disable', 'enable', 'reset', 'state', 'result', 'restartsubsystem'].map(
    (name) => ({ service: service.toLowerCase(), method: name, features: [] }),
  ),
]

const positionText = (position: number): string => (position === 0 ? 'C:0/P:-1' : `C:${position}/P:${position}`)

const detailsOf = ({ name, state }: Projection): Details => {
  const { version, epoch, status, reason, position, checkpoint, head, eventsProcessed, processingMs, inFlight } =
    state()
  return {
    coreProcessingTime: Math.round(processingMs),
    version,
    epoch,
    effectiveName: name,
    writesInProgress: inFlight.writes,
    readsInProgress: 0,
    partitionsCached: 0,
    status,
    stateReason: reason,
    name,
    mode: 'Continuous',
    position: positionText(position),
    progress: head === 0 ? 100 : (position / head) * 100,
    lastCheckpoint: positionText(checkpoint),
    eventsProcessedAfterRestart: eventsProcessed,
    checkpointStatus: inFlight.writes > 0 ? 'Writing' : '',
    bufferedEvents: 0,
    writePendingEventsBeforeCheckpoint: inFlight.events,
    writePendingEventsAfterCheckpoint: 0,
  }
}

const toFailure = (error: unknown) =>
  error instanceof InvalidSource ? invalidArgument(error.message) : failureOf(error)

type Answer = (request: Buffer) => Promise<void> | Buffer

const unary =
  (guard: Guard, action: Action, answer: Answer) =>
  async (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): Promise<void> => {
    try {
      guard.callerOf(call).check(action)
      reply(null, (await answer(call.request)) ?? done)
    } catch (error) {
      reply(toFailure(error))
    }
  }

export const addProjections = (server: Server, projections: Projections, guard: Guard): void => {
  const use = 'use projections'
  const serve = (answer: Answer) => unary(guard, use, answer)
  const manage = (answer: Answer) => unary(guard, 'manage projections', answer)
  const find = (name: string): Projection => {
    const found = projections.find(name)
    if (!found) throw new Refused({ kind: 'projection not found', name })
    return found
  }

  const serveStatistics = (call: ServerWritableStream<Buffer, Buffer>): void => {
    try {
      guard.callerOf(call).check(use)
      const { name, mode } = decodeStatistics(call.request)
      const all = mode === 'all' || mode === 'continuous' ? projections.all : []
      for (const projection of name === '' ? all : [find(name)]) call.write(encodeStatistics(detailsOf(projection)))
      call.end()
    } catch (error) {
      fail(call, toFailure(error))
    }
  }

  const path = (name: string) => method(`/${service}/${name}`, false, false)
  server.addService(
    {
      create: path('Create'),
      update: path('Update'),
      delete: path('Delete'),
      statistics: method(`/${service}/Statistics`, false, true),
      disable: path('Disable'),
      enable: path('Enable'),
      reset: path('Reset'),
      state: path('State'),
      result: path('Result'),
      restartSubsystem: path('RestartSubsystem'),
    },
    {
      create: serve(() => {
        throw new Refused({ kind: 'own projection' })
      }),
      update: serve(async (bytes) => {
        const { name, query } = decodeUpdate(bytes)
        return find(name).configure(query)
      }),
      delete: manage((bytes) => {
        find(decodeNamed(bytes).name)
        throw new Refused({ kind: 'deletion of a system projection' })
      }),
      statistics: serveStatistics,
      disable: serve(async (bytes) => {
        const { name, writeCheckpoint } = decodeDisable(bytes)
        const projection = find(name)
        return writeCheckpoint ? projection.disable() : projection.abort()
      }),
      enable: serve(async (bytes) => find(decodeNamed(bytes).name).enable()),
      reset: serve(async (bytes) => find(decodeNamed(bytes).name).reset()),
      // System projections have neither; EventStoreDB answers the same.
      state: serve((bytes) => {
        find(decodeNamed(bytes).name)
        return emptyState
      }),
      result: serve((bytes) => {
        find(decodeNamed(bytes).name)
        return emptyState
      }),
      restartSubsystem: manage(() => projections.restart()),
    },
  )
}
