// The services of the node as grpc-js serves them.
import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import { gossip, operations, reportedVersion } from '../http/node.ts'
import type { Groups } from '../persistent/groups.ts'
import { addPersistentSubscriptions, persistentSubscriptions } from '../persistent/service.ts'
import type { Guard } from '../security/guard.ts'
import type { Store } from '../store/store.ts'
import { type Calls, fail } from '../wire/calls.ts'
import { type Failure, failureOf } from '../wire/errors.ts'
import { method } from '../wire/method.ts'
import { packing } from '../wire/packing.ts'
import { serveAppend } from './append.ts'
import { serveBatchAppend } from './batch-append.ts'
import { serveDelete } from './delete.ts'
import { readAll, readStream } from './read.ts'
import { decodeReadRequest } from './read-request.ts'
import { encodeSupportedMethods, type SupportedMethod } from './replies.ts'
import { subscribe } from './subscription.ts'

const streams = 'event_store.client.streams.Streams'
const serverFeatures = 'event_store.client.server_features.ServerFeatures'

// Client 6.2.1 compares lower-cased paths. Only served methods may be listed.
const supportedMethods: SupportedMethod[] = [
  { service: streams.toLowerCase(), method: 'read', features: ['position', 'events'] },
  { service: streams.toLowerCase(), method: 'append', features: [] },
  { service: streams.toLowerCase(), method: 'delete', features: [] },
  { service: streams.toLowerCase(), method: 'tombstone', features: [] },
  { service: streams.toLowerCase(), method: 'batchappend', features: ['deadline_duration'] },
  ...['create', 'update', 'delete', 'read', 'getinfo', 'replayparked', 'list', 'restartsubsystem'].map((name) => ({
    service: persistentSubscriptions.toLowerCase(),
    method: name,
    features: ['stream', 'all'],
  })),
  { service: serverFeatures.toLowerCase(), method: 'getsupportedmethods', features: [] },
  { service: gossip.toLowerCase(), method: 'read', features: [] },
  { service: operations.toLowerCase(), method: 'shutdown', features: [] },
]

const serveRead =
  (store: Store, calls: Calls, guard: Guard) =>
  async (asked: ServerWritableStream<Buffer, Buffer>): Promise<void> => {
    const call = packing(asked)
    const end = (failed: Failure): void => fail(call, failed)
    const forget = calls.add(end)
    let unwatch = (): void => {}
    try {
      const caller = guard.callerOf(asked)
      const mayRead = (streamName: string): boolean => caller.may('read', streamName)
      const request = { ...decodeReadRequest(asked.request), mayRead }
      const streamName = request.source.kind === 'stream' ? request.source.streamName : '$all'
      caller.check('read', streamName)
      if (request.count === undefined) {
        unwatch = caller.watch('read', streamName, end)
        await subscribe(call, store, request)
        return
      }
      if (request.source.kind === 'stream') await readStream(call, store, request, request.source.streamName)
      else await readAll(call, store, request)
      call.end()
    } catch (error) {
      fail(call, failureOf(error))
    } finally {
      unwatch()
      forget()
    }
  }

const serveSupportedMethods = (more: readonly SupportedMethod[]) => {
  const answer = encodeSupportedMethods(reportedVersion, [...supportedMethods, ...more])
  return (_: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void => reply(null, answer)
}

/**
 * grpc-js answers UNIMPLEMENTED, with a sentence, to every method that is not registered.
 * @param more methods of other services
 * @returns the persistent subscriptions, which are closed before the store is
 */
export const addServices = (
  server: Server,
  store: Store,
  calls: Calls,
  guard: Guard,
  more: readonly SupportedMethod[],
): Groups => {
  server.addService(
    {
      read: method(`/${streams}/Read`, false, true),
      append: method(`/${streams}/Append`, true, false),
      batchAppend: method(`/${streams}/BatchAppend`, true, true),
      delete: method(`/${streams}/Delete`, false, false),
      tombstone: method(`/${streams}/Tombstone`, false, false),
    },
    {
      read: serveRead(store, calls, guard),
      append: serveAppend(store, calls, guard),
      batchAppend: serveBatchAppend(store, calls, guard),
      delete: serveDelete(store, guard, 'delete'),
      tombstone: serveDelete(store, guard, 'tombstone'),
    },
  )
  server.addService(
    { getSupportedMethods: method(`/${serverFeatures}/GetSupportedMethods`, false, false) },
    { getSupportedMethods: serveSupportedMethods(more) },
  )
  return addPersistentSubscriptions(server, store, calls, guard)
}
