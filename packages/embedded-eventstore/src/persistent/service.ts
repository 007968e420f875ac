// The PersistentSubscriptions service as grpc-js serves it.
import type { Server, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { Caller, Guard } from '../security/guard.ts'
import { encodeReadEvent } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { type BatchCall, type Calls, fail } from '../wire/calls.ts'
import { failureFor, failureOf, Refused } from '../wire/errors.ts'
import { method } from '../wire/method.ts'
import type { Consumer, Group } from './group.ts'
import { type Groups, openGroups } from './groups.ts'
import { encodeInfo, encodeList, encodeSubscribed } from './replies.ts'
import {
  type ConsumerRequest,
  decodeConsumerRequest,
  decodeDefinition,
  decodeGroupName,
  decodeList,
  decodeReplay,
  deleteFields,
  infoFields,
} from './requests.ts'
import { keyOf } from './settings.ts'
import { createStatistics } from './statistics.ts'

export const persistentSubscriptions = 'event_store.client.persistent_subscriptions.PersistentSubscriptions'

const nothing = Buffer.alloc(0)
const connect = 'connect to persistent subscriptions'

/** Serves a method whose answer may need a write. */
const unary =
  (guard: Guard, answer: (request: Buffer, caller: Caller) => Promise<Buffer> | Buffer) =>
  (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void => {
    void (async () => {
      try {
        reply(null, await answer(call.request, guard.callerOf(call)))
      } catch (error) {
        reply(failureOf(error))
      }
    })()
  }

type Subscribe = Extract<ConsumerRequest, { kind: 'subscribe' }>

const idsOf = (ids: readonly Buffer[]): string[] => ids.map((id) => id.toString('latin1'))

const join = (call: BatchCall, caller: Caller, group: Group, request: Subscribe): Consumer => {
  const { bufferSize, idsAs } = request
  if (group.isFull()) throw new Refused({ ...request, kind: 'group has its consumers' })
  const [connectionName = ''] = call.metadata.get('connection-name')
  const inFlight: Consumer['inFlight'] = new Map()
  const consumer: Consumer = {
    name: String(connectionName),
    from: call.getPeer(),
    userName: caller.user?.name ?? 'anonymous',
    bufferSize,
    inFlight,
    statistics: createStatistics(),
    hasRoom: () => inFlight.size < bufferSize,
    send: (message) => {
      if (!call.cancelled && !call.writableEnded) call.write(encodeReadEvent(message, idsAs))
    },
    drop: (fault) => {
      const { streamName, groupName } = request
      const group = { streamName, groupName }
      fail(
        call,
        failureFor(
          fault === undefined ? { kind: 'group dropped', ...group } : { kind: 'group failed', ...group, reason: fault },
        ),
      )
    },
  }
  call.write(encodeSubscribed(keyOf(request.streamName, request.groupName)))
  group.join(consumer)
  return consumer
}

const serveConsumer =
  (groups: Groups, calls: Calls, guard: Guard) =>
  (call: BatchCall): void => {
    const caller = guard.callerOf(call)
    let unwatch = (): void => {}
    let joined: { group: Group; consumer: Consumer } | undefined
    const forget = calls.add((failed) => fail(call, failed))

    const take = (request: ConsumerRequest): void => {
      if (request.kind === 'subscribe') {
        if (joined) throw new Error('A consumer says once who it is, first.')
        caller.check(connect, request.streamName)
        const group = groups.find(request.streamName, request.groupName)
        if (group.isOver()) throw new Refused({ kind: 'stream deleted', streamName: request.streamName })
        joined = { group, consumer: join(call, caller, group, request) }
        unwatch = caller.watch(connect, request.streamName, (denied) => fail(call, denied))
        return
      }
      if (!joined) throw new Error('The first message says who subscribes.')
      const { group, consumer } = joined
      if (request.kind === 'ack') group.acknowledge(consumer, idsOf(request.ids))
      else group.refuse(consumer, idsOf(request.ids), request.action, request.reason)
    }

    const over = (): void => {
      forget()
      unwatch()
      joined?.group.leave(joined.consumer)
    }
    call.on('data', (bytes: Buffer) => {
      if (call.writableEnded) return
      try {
        take(decodeConsumerRequest(bytes))
      } catch (error) {
        fail(call, failureOf(error))
      }
    })
    call.on('end', () => {
      if (!call.writableEnded) call.end()
    })
    for (const event of ['finish', 'cancelled', 'close', 'error']) call.on(event, over)
  }

const path = (name: string): string => `/${persistentSubscriptions}/${name}`

/** @returns the groups, which the caller closes */
export const addPersistentSubscriptions = (server: Server, store: Store, calls: Calls, guard: Guard): Groups => {
  const groups = openGroups(store)
  /** Requires the right to manage persistent subscriptions. */
  const managing = (answer: (request: Buffer) => Promise<Buffer> | Buffer) =>
    unary(guard, (request, caller) => {
      caller.check('manage persistent subscriptions')
      return answer(request)
    })
  const describing = (answer: (request: Buffer) => Buffer) =>
    unary(guard, (request, caller) => {
      caller.check('describe persistent subscriptions')
      return answer(request)
    })
  server.addService(
    {
      create: method(path('Create'), false, false),
      update: method(path('Update'), false, false),
      delete: method(path('Delete'), false, false),
      read: method(path('Read'), true, true),
      getInfo: method(path('GetInfo'), false, false),
      replayParked: method(path('ReplayParked'), false, false),
      list: method(path('List'), false, false),
      restartSubsystem: method(path('RestartSubsystem'), false, false),
    },
    {
      create: managing(async (request) => {
        await groups.create(decodeDefinition(request))
        return nothing
      }),
      update: managing(async (request) => {
        await groups.update(decodeDefinition(request))
        return nothing
      }),
      delete: managing(async (request) => {
        await groups.remove(decodeGroupName(request, deleteFields))
        return nothing
      }),
      read: serveConsumer(groups, calls, guard),
      getInfo: describing((request) => {
        const { streamName, groupName } = decodeGroupName(request, infoFields)
        return encodeInfo(groups.find(streamName, groupName))
      }),
      replayParked: managing(async (request) => {
        const { streamName, groupName, stopAt } = decodeReplay(request)
        if (stopAt !== undefined && stopAt < 0) {
          const reason = 'Cannot stop replaying parked message at a negative version.'
          throw new Refused({ kind: 'group failed', streamName, groupName, reason })
        }
        await groups.find(streamName, groupName).replayParked(stopAt)
        return nothing
      }),
      list: describing((request) => {
        const streamName = decodeList(request)
        return encodeList(streamName === undefined ? groups.all() : groups.ofStream(streamName))
      }),
      restartSubsystem: managing(() => {
        groups.restart()
        return nothing
      }),
    },
  )
  return groups
}
