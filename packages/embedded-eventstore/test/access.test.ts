// Access control with TLS and users, seen by the published client.
import { once } from 'node:events'
import {
  AccessDeniedError,
  jsonEvent,
  persistentSubscriptionToAllSettingsFromDefaults,
  persistentSubscriptionToStreamSettingsFromDefaults,
  START,
} from '@eventstore/db-client'
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { added, collect, newStream } from './helpers.ts'
import { as, authorization, basic, metadataOf, useSecureStore } from './security.ts'

const used = useSecureStore()
const denied = (asked: Promise<unknown>) => expect(asked).rejects.toBeInstanceOf(AccessDeniedError)

const readBy = (person: Parameters<typeof as>[0], stream: string) => collect(used.client.readStream(stream, as(person)))

test('anonymous callers are denied access to streams', async () => {
  const stream = newStream()
  await denied(used.client.appendToStream(stream, added()))
  await denied(collect(used.client.readStream(stream)))
  await denied(collect(used.client.readAll()))
  await denied(used.client.deleteStream(stream))
  await denied(used.client.tombstoneStream(stream))
  const [error] = await once(used.client.subscribeToStream(stream), 'error')
  expect(error).toBeInstanceOf(AccessDeniedError)
})

test('a user stream is open to every user, in both ways of appending', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, added(1), as('bob'))
  const client = used.clientOf('alice')
  await client.appendToStream(stream, added(2))
  expect(await collect(client.readStream(stream))).toHaveLength(2)
  await client.deleteStream(stream)
})

test('wrong credentials are UNAUTHENTICATED, also for public methods', async () => {
  const path = '/event_store.client.server_features.ServerFeatures/GetSupportedMethods'
  const codeOf = (value: string | undefined): Promise<number> =>
    new Promise((resolve) => {
      const same = (bytes: Buffer): Buffer => bytes
      used.raw.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadataOf(value), (error) =>
        resolve(error ? error.code : status.OK),
      )
    })
  expect(await codeOf(undefined)).toBe(status.OK)
  expect(await codeOf(authorization('bob'))).toBe(status.OK)
  for (const wrong of [basic('bob', 'x'), basic('nobody', 'x'), 'Basic', 'Basic !', 'Bearer x', basic('bob', '')]) {
    expect(await codeOf(wrong)).toBe(status.UNAUTHENTICATED)
  }
  const credentials = { username: 'bob', password: 'wrong' }
  await denied(used.client.appendToStream(newStream(), added(), { credentials }))
})

test('only $admins access system streams and $all', async () => {
  const stream = `$${newStream()}`
  await denied(used.client.appendToStream(stream, added(), as('bob')))
  await denied(used.client.appendToStream(stream, added(), as('ops')))
  await used.client.appendToStream(stream, added(), as('admin'))
  await denied(readBy('alice', stream))
  expect(await readBy('admin', stream)).toHaveLength(1)
  await denied(collect(used.client.readAll({ ...as('alice'), maxCount: 1 })))
  expect(await collect(used.client.readAll({ ...as('admin'), maxCount: 1 }))).toHaveLength(1)
  const [error] = await once(used.client.subscribeToAll(as('alice')), 'error')
  expect(error).toBeInstanceOf(AccessDeniedError)
})

test('$all cannot be written or deleted', async () => {
  await denied(used.client.appendToStream('$all', added(), as('admin')))
  await denied(used.clientOf('admin').appendToStream('$all', added()))
  await denied(used.client.deleteStream('$all', as('admin')))
})

test('a stream’s own list grants each right to users and groups', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, added(), as('admin'))
  const acl = {
    readRoles: ['bob', 'writers'],
    writeRoles: ['writers'],
    deleteRoles: ['$admins'],
    metaReadRoles: ['bob'],
    metaWriteRoles: ['$ops'],
  }
  await used.client.setStreamMetadata(stream, { acl }, as('bob'))

  expect(await readBy('bob', stream)).toHaveLength(1)
  await denied(readBy('ops', stream))
  await denied(used.client.appendToStream(stream, added(), as('bob')))
  await denied(used.clientOf('bob').appendToStream(stream, added()))
  await used.client.appendToStream(stream, added(), as('alice'))
  await denied(used.client.deleteStream(stream, as('alice')))
  expect((await used.client.getStreamMetadata(stream, as('bob'))).metadata).toMatchObject({ acl })
  await denied(used.client.getStreamMetadata(stream, as('alice')))
  await denied(used.client.setStreamMetadata(stream, {}, as('bob')))
  await used.client.setStreamMetadata(stream, {}, as('ops'))
  expect(await readBy('ops', stream)).toHaveLength(2)
})

test('$settings changes the defaults of streams that have no list', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, added(), as('bob'))
  const settings = (data: Record<string, unknown>) =>
    used.client.appendToStream('$settings', jsonEvent({ type: 'update-default-acl', data }), as('admin'))
  await denied(used.client.appendToStream('$settings', added(), as('bob')))
  await settings({ $userStreamAcl: { $r: ['writers'], $w: '$all' }, $systemStreamAcl: { $r: ['ops'] } })

  await denied(readBy('bob', stream))
  expect(await readBy('alice', stream)).toHaveLength(1)
  await used.client.appendToStream(stream, added(), as('bob'))
  // Rights that the settings omit keep their defaults.
  await used.client.setStreamMetadata(stream, { acl: { readRoles: ['bob'] } }, as('bob'))
  expect(await readBy('bob', stream)).toHaveLength(2)
  expect((await collect(used.client.readAll({ ...as('ops'), maxCount: 1 }))).length).toBe(1)
  await denied(used.client.appendToStream('$x', added(), as('ops')))
  await settings({})
  await denied(collect(used.client.readAll({ ...as('ops'), maxCount: 1 })))
})

test('a live subscription ends when its reader loses the right', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, added(1), as('bob'))
  const subscription = used.client.subscribeToStream(stream, as('bob'))
  const error = once(subscription, 'error')
  const seen: unknown[] = []
  subscription.on('data', ({ event }) => seen.push(event?.data))
  await expect.poll(() => seen.length).toBe(1)
  await used.client.setStreamMetadata(stream, { acl: { readRoles: ['alice'] } }, as('admin'))
  await used.client.appendToStream(stream, added(2), as('alice'))
  expect((await error)[0]).toBeInstanceOf(AccessDeniedError)
  expect(seen).toEqual([{ number: 1 }])
})

test('a resolved link does not show an event that its reader may not read', async () => {
  const [secret, links] = [newStream(), newStream()]
  await used.client.appendToStream(secret, added(), as('admin'))
  await used.client.setStreamMetadata(secret, { acl: { readRoles: ['alice'] } }, as('admin'))
  const link = { ...jsonEvent({ type: '$>', data: {} }), contentType: 'application/octet-stream' as const }
  await used.client.appendToStream(links, { ...link, data: Buffer.from(`0@${secret}`) } as never, as('bob'))
  const resolved = (person: 'alice' | 'bob') =>
    collect(used.client.readStream(links, { ...as(person), resolveLinkTos: true }))
  await denied(resolved('bob'))
  expect((await resolved('alice'))[0]?.event?.streamId).toBe(secret)
  expect(await readBy('bob', links)).toHaveLength(1)
})

test('only $ops and $admins can shut the node down', async () => {
  const path = '/event_store.client.operations.Operations/Shutdown'
  const same = (bytes: Buffer): Buffer => bytes
  const code = await new Promise((resolve) =>
    used.raw.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadataOf(authorization('bob')), (error) =>
      resolve(error?.code),
    ),
  )
  expect(code).toBe(status.PERMISSION_DENIED)
})

test('$ops and $admins manage persistent subscriptions, readers of the stream connect, and every user can inspect them', async () => {
  const stream = newStream()
  const group = 'workers'
  await used.client.appendToStream(stream, added(), as('bob'))
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START })
  const create = (person: 'bob' | 'ops') =>
    used.client.createPersistentSubscriptionToStream(stream, group, settings, as(person))
  await denied(create('bob'))
  await create('ops')
  const asBob = as('bob')
  await denied(used.client.updatePersistentSubscriptionToStream(stream, group, settings, asBob))
  await denied(used.client.replayParkedMessagesToStream(stream, group, asBob))
  await denied(used.client.restartPersistentSubscriptionSubsystem(asBob))
  await denied(used.client.deletePersistentSubscriptionToStream(stream, group, asBob))
  await denied(used.client.getPersistentSubscriptionToStreamInfo(stream, group))
  expect(await used.client.listPersistentSubscriptionsToStream(stream, asBob)).toHaveLength(1)
  await denied(
    used.client.createPersistentSubscriptionToAll(group, persistentSubscriptionToAllSettingsFromDefaults(), asBob),
  )

  const subscription = used.client.subscribeToPersistentSubscriptionToStream(stream, group, asBob)
  const error = once(subscription, 'error')
  await once(subscription, 'data')
  const info = await used.client.getPersistentSubscriptionToStreamInfo(stream, group, asBob)
  expect(info.connections.map(({ username }) => username)).toEqual(['bob'])
  await used.client.setStreamMetadata(stream, { acl: { readRoles: ['alice'] } }, as('admin'))
  expect((await error)[0]).toBeInstanceOf(AccessDeniedError)
  const [refused] = await once(used.client.subscribeToPersistentSubscriptionToStream(stream, group, asBob), 'error')
  expect(refused).toBeInstanceOf(AccessDeniedError)
  await used.client.deletePersistentSubscriptionToStream(stream, group, as('ops'))
})
