// What a client learns of the node by gossip (§2.2), and how an operator stops it (§2.1).
import { EventStoreDBClient } from '@eventstore/db-client'
import operations from '@eventstore/db-client/generated/operations_grpc_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { credentials } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { start } from '../src/start.ts'
import { added, collect, newStream, useStore } from './helpers.ts'

const used = useStore()

test('§2.2 a client that discovers the node by gossip works', async () => {
  const client = EventStoreDBClient.connectionString(`esdb+discover://127.0.0.1:${used.store.port}?tls=false`)
  const stream = newStream()
  await client.appendToStream(stream, added())
  expect(await collect(client.readStream(stream))).toHaveLength(1)
  await client.dispose()
})

test('§2.2 the advertised address is where a client goes on', async () => {
  const asked = await start({ memory: true, advertiseHost: 'localhost', advertisePort: used.store.port })
  const client = EventStoreDBClient.connectionString(`esdb+discover://127.0.0.1:${asked.port}?tls=false`)
  const stream = newStream()
  await client.appendToStream(stream, added())
  // The other node, whose address was advertised, has it.
  expect(await collect(used.client.readStream(stream))).toHaveLength(1)
  await client.dispose()
  await asked.stop()
})

test('§2.1 Operations.Shutdown answers, then the node stops', async () => {
  const store = await start({ memory: true })
  const client = new operations.OperationsClient(`127.0.0.1:${store.port}`, credentials.createInsecure())
  await new Promise<void>((resolve, reject) =>
    client.shutdown(new shared.Empty(), (error) => (error ? reject(error) : resolve())),
  )
  await store.stopped
  client.close()
  await expect(fetch(`http://127.0.0.1:${store.port}/ping`)).rejects.toThrow()
})
