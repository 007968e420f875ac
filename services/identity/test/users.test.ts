// One user a name and an address: also for two at the same moment, and whenever a process ends or pauses between two steps.
import { randomUUID } from 'node:crypto'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { openPool } from '@headwater/postgres/pool'
import { testDatabase } from '@headwater/test-kit/database'
import { until } from '@headwater/test-kit/system'
import { hash as argon2 } from '@node-rs/argon2'
import { expect, onTestFinished, test } from 'vitest'
import { openCredentials } from '../src/users/credentials.ts'
import { createUsers, type Registration } from '../src/users/users.ts'
import { identityKey, logger, person } from './support.ts'

const connectionsMax = 5
const laterMs = 60_000

const someone = (change: Partial<Registration> = {}): Registration => ({ ...person(), roles: [], ...change })

const startStore = async () => {
  const node = await startEventStore({ port: 0, memory: true })
  onTestFinished(() => node.stop())
  const database = await testDatabase()
  onTestFinished(database.remove)
  const pool = openPool(database.url, connectionsMax, logger)
  onTestFinished(() => pool.end())
  const connect = () => {
    const store = connectEventStore({ url: node.connectionString, logger })
    onTestFinished(store.close)
    return store
  }
  const credentials = await openCredentials(pool)
  const store = connect()
  return {
    store,
    pool,
    /** As another process would have them. */
    users: (more: { nowMs?: () => number; through?: (store: EventStore) => EventStore } = {}) => {
      const { nowMs, through = (own) => own } = more
      return createUsers({ store: through(connect()), credentials, key: identityKey, logger, ...(nowMs && { nowMs }) })
    },
    hashes: async () => (await pool.query('select password_hash from headwater.credentials')).rows,
  }
}

/** Whatever is appended to streams of a category waits until it is let go; for ever is how a killed process ends. */
const paused = (category = 'user') => {
  const gate = Promise.withResolvers<void>()
  let reached = false
  return {
    letGo: gate.resolve,
    isReached: () => reached,
    through: (store: EventStore): EventStore => ({
      ...store,
      append: async (stream, ...rest) => {
        if (stream.startsWith(`${category}-`)) {
          reached = true
          await gate.promise
        }
        return store.append(stream, ...rest)
      },
    }),
  }
}

/** The process that asked has ended. */
const neverAnswered = () => undefined
const later = () => Date.now() + laterMs
const taken = { code: 'identifier_taken' }

test('a deleted user cannot sign in, and gives the name and the address back; a name whose stream was deleted stays taken', async () => {
  const world = await startStore()
  const users = world.users()
  const [zoe, yan] = [someone(), someone()]
  const zoesId = await users.register(zoe, randomUUID())
  await world.store.tombstone(`user-${zoesId}`)
  expect(await users.find(zoesId)).toBeUndefined()
  expect(await users.authenticate(zoe.userName, zoe.password)).toBeUndefined()
  await expect(users.disable(zoesId, { actor: 'op' })).rejects.toMatchObject({ code: 'user_not_found' })
  await expect(users.register(zoe, randomUUID())).rejects.toMatchObject(taken)
  const again = await world.users({ nowMs: later }).register(zoe, randomUUID())
  expect(await users.authenticate(zoe.userName, zoe.password)).toMatchObject({ userId: again })

  await users.register(yan, randomUUID())
  await world.store.tombstone(`username-${keyedId(identityKey, `username:${yan.userName}`)}`)
  expect(await users.authenticate(yan.userName, yan.password)).toBeUndefined()
  const sameName = { ...someone(), userName: yan.userName }
  await expect(world.users({ nowMs: later }).register(sameName, randomUUID())).rejects.toMatchObject(taken)
})

test('a user signs in with the name in any case and the right password only', async () => {
  const world = await startStore()
  const users = world.users()
  const zoe = someone()
  const userId = await users.register(zoe, randomUUID())
  expect(await users.authenticate(zoe.userName, zoe.password)).toMatchObject({ userId, name: zoe.name, roles: [] })
  expect(await users.authenticate(zoe.userName, `${zoe.password}.`)).toBeUndefined()
  expect(await users.authenticate('nobody-at-all', zoe.password)).toBeUndefined()
  const [{ password_hash: hash = '' } = {}] = await world.hashes()
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)

  // However a keyboard writes its letters.
  const typed = ['Zo\u00eb \ufb01nds a stream', 'Zoe\u0308 finds a stream'] as const
  for (const password of typed) {
    await users.changePassword(userId, password, { actor: userId, traceparent: '', correlationId: '' })
    for (const other of typed) expect(await users.authenticate(zoe.userName, other)).toMatchObject({ userId })
    expect(await users.authenticate(zoe.userName, 'Zoe finds a stream')).toBeUndefined()
  }
  // A hash from before passwords were brought into one form holds its owner up in neither.
  const [, decomposed] = typed
  await world.pool.query('update headwater.credentials set password_hash = $1', [await argon2(decomposed)])
  for (const [password, isRight] of [
    [typed[0], false],
    [decomposed, true],
    [typed[0], true],
  ] as const)
    expect((await users.authenticate(zoe.userName, password)) !== undefined).toBe(isRight)
})

test('the same registration sent twice is one, also at once and from two processes', async () => {
  const world = await startStore()
  const [zoe, key] = [someone(), randomUUID()]
  const ids = await Promise.all([world.users().register(zoe, key), world.users().register(zoe, key)])
  expect(new Set([...ids, await world.users().register(zoe, key)]).size).toBe(1)
  expect((await world.store.readStream(`user-${ids[0]}`, 0n, 10)).map(({ type }) => type)).toEqual(['UserRegistered'])
  await expect(world.users().register({ ...zoe, name: 'Somebody Else' }, key)).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  })
})

test.each(['userName', 'email'] as const)(
  'of 10 who want the same %s at once, over 2 processes, exactly one gets it',
  async (field) => {
    const world = await startStore()
    const processes = [world.users(), world.users()]
    const wanted = someone()[field]
    const people = Array.from({ length: 10 }, () => someone({ [field]: wanted }))
    const outcomes = await Promise.allSettled(
      people.map((one, index) => processes[index % 2]?.register(one, randomUUID())),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(taken)
    // What the others had reserved beside it is free again.
    const [loser] = people.filter((_, index) => outcomes[index]?.status === 'rejected')
    const again = { ...(loser as Registration), ...(field === 'email' ? { email: someone().email } : {}) }
    if (field === 'email') await processes[0]?.register(again, randomUUID())
    expect(await world.hashes()).toHaveLength(field === 'email' ? 2 : 1)
  },
)

test.each(['email', 'user'])('a process that ends before it writes to %s burns no name for ever', async (category) => {
  const world = await startStore()
  const zoe = someone()
  const end = paused(category)
  world.users({ through: end.through }).register(zoe, randomUUID()).catch(neverAnswered)
  await until('it ends', end.isReached)
  const again = someone({ userName: zoe.userName })
  await expect(world.users().register(again, randomUUID())).rejects.toMatchObject(taken)
  // Once the first would come too late.
  const userId = await world.users({ nowMs: later }).register(again, randomUUID())
  expect(await world.users().authenticate(zoe.userName, zoe.password)).toMatchObject({ userId })
})

test('the same registration goes on where a process ended', async () => {
  const world = await startStore()
  const [zoe, key] = [someone(), randomUUID()]
  world.users({ through: paused().through }).register(zoe, key).catch(neverAnswered)
  await until('the password is kept', async () => (await world.hashes()).length === 1)
  const userId = await world.users().register(zoe, key)
  expect(await world.users().find(userId)).toMatchObject({ userName: zoe.userName, email: zoe.email })
})

test('a registration that was paused too long is refused, and leaves no password behind', async () => {
  const world = await startStore()
  const pause = paused()
  const zoe = someone()
  const late = world.users({ through: pause.through }).register(zoe, randomUUID())
  await until('it is about to register', pause.isReached)
  const userId = await world.users({ nowMs: later }).register(someone({ userName: zoe.userName }), randomUUID())
  pause.letGo()
  await expect(late).rejects.toMatchObject({ code: 'registration_abandoned' })
  expect(await world.users().authenticate(zoe.userName, zoe.password)).toMatchObject({ userId })
  expect(await world.hashes()).toHaveLength(1)
  // The address that it had reserved as well is free again.
  await world.users().register(someone({ email: zoe.email }), randomUUID())
})

test('a name in use is never taken, however old its reservation', async () => {
  const world = await startStore()
  const zoe = someone()
  await world.users().register(zoe, randomUUID())
  for (const field of ['userName', 'email'] as const)
    await expect(
      world.users({ nowMs: later }).register(someone({ [field]: zoe[field] }), randomUUID()),
    ).rejects.toMatchObject(taken)
})

const origin = { actor: 'test' }

test('a changed address is theirs, and the former one is free', async () => {
  const world = await startStore()
  const users = world.users()
  const [zoe, email] = [someone(), someone().email]
  const userId = await users.register(zoe, randomUUID())
  await users.changeEmail(userId, email, origin)
  expect(await users.find(userId)).toMatchObject({ email })
  await expect(users.register(someone({ email }), randomUUID())).rejects.toMatchObject(taken)
  await users.register(someone({ email: zoe.email }), randomUUID())
  await expect(users.changeEmail(userId, zoe.email, origin)).rejects.toMatchObject(taken)
})

test('a change that was paused too long does not take an address from whoever has it by now', async () => {
  const world = await startStore()
  const pause = paused()
  const userId = await world.users().register(someone(), randomUUID())
  const email = someone().email
  const late = world.users({ through: pause.through }).changeEmail(userId, email, origin)
  await until('it is about to change', pause.isReached)
  const other = await world.users({ nowMs: later }).register(someone({ email }), randomUUID())
  pause.letGo()
  await expect(late).rejects.toMatchObject({ code: 'revision_mismatch' })
  expect((await world.users().find(userId))?.email).not.toBe(email)
  expect(await world.users().find(other)).toMatchObject({ email })
})

test('of two who change to one address at once, one gets it', async () => {
  const world = await startStore()
  const users = [world.users(), world.users()] as const
  const ids = [await users[0].register(someone(), randomUUID()), await users[1].register(someone(), randomUUID())]
  const { email } = someone()
  const outcomes = await Promise.allSettled(users.map((one, index) => one.changeEmail(ids[index] ?? '', email, origin)))
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

test('a disabled user is not found, does not sign in, and keeps name and address from others', async () => {
  const world = await startStore()
  const users = world.users()
  const zoe = someone()
  const userId = await users.register(zoe, randomUUID())
  await users.disable(userId, origin)
  expect(await users.find(userId)).toBeUndefined()
  expect(await users.authenticate(zoe.userName, zoe.password)).toBeUndefined()
  await expect(users.changePassword(userId, 'another fine password', origin)).rejects.toMatchObject({
    code: 'user_disabled',
  })
  for (const field of ['userName', 'email'] as const)
    await expect(users.register(someone({ [field]: zoe[field] }), randomUUID())).rejects.toMatchObject(taken)
})

test('streams name nobody, and no event or metadata holds a password or its hash', async () => {
  const world = await startStore()
  const users = world.users()
  const zoe = someone()
  const userId = await users.register(zoe, randomUUID())
  await users.changePassword(userId, 'another fine password', origin)
  const events = await world.store.readStream(`user-${userId}`, 0n, 10)
  expect(events.map(({ type }) => type)).toEqual(['UserRegistered', 'PasswordChanged'])
  const text = JSON.stringify(events, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  expect(text).not.toMatch(/argon2|another fine|correct horse/)
  expect(JSON.stringify(events.map(({ metadata, stream }) => [metadata, stream]))).not.toMatch(/zoe|Quinn|@/i)
})
