// Gossip answers to clients, and the shutdown by an operator.
import { EventStoreDBClient } from '@eventstore/db-client'
import operations from '@eventstore/db-client/generated/operations_grpc_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { credentials } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { start } from '../src/start.ts'
import { added, collect, newStream, useStore } from './helpers.ts'

const used = useStore()

test('a client can discover the node by gossip', async () => {
  const client = EventStoreDBClient.connectionString(`esdb+discover://127.0.0.1:${used.store.port}?tls=false`)
  const stream = newStream()
  await client.appendToStream(stream, added())
  expect(await collect(client.readStream(stream))).toHaveLength(1)
  await client.dispose()
})

test('a client connects to the advertised address', async () => {
  const asked = await start({ memory: true, advertiseHost: 'localhost', advertisePort: used.store.port })
  const client = EventStoreDBClient.connectionString(`esdb+discover://127.0.0.1:${asked.port}?tls=false`)
  const stream = newStream()
  await client.appendToStream(stream, added())
  // The event is in the advertised node.
  expect(await collect(used.client.readStream(stream))).toHaveLength(1)
  await client.dispose()
  await asked.stop()
})

test('Operations.Shutdown answers and then stops the node', async () => {
  const store = await start({ memory: true })
  const client = new operations.OperationsClient(`127.0.0.1:${store.port}`, credentials.createInsecure())
  await new Promise<void>((resolve, reject) =>
    client.shutdown(new shared.Empty(), (error) => (error ? reject(error) : resolve())),
  )
  await store.stopped
  client.close()
  await expect(fetch(`http://127.0.0.1:${store.port}/ping`)).rejects.toThrow()
})
