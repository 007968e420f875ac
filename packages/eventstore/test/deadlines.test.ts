// A command settles in bounded time despite a failing store, and a repeat under its key finds the outcome.
import { randomUUID } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { connectEventStore, type EventStore } from '../src/client/client.ts'
import { type CommandHandlerOptions, createCommandHandler } from '../src/commands/handle-command.ts'
import { connectTestStore, logger, runPrefix } from './support.ts'
import { type Till, type TillCommand, type TillEvent, tillStream } from './till.ts'

const category = `${runPrefix}till`
const answerMsMax = 300

let store: EventStore
let close: () => Promise<void>
beforeAll(async () => {
  ;({ store, close } = await connectTestStore())
})
afterAll(() => close())

const handlerOver = (over: EventStore, limits: Partial<CommandHandlerOptions<TillCommand, TillEvent, Till>> = {}) =>
  createCommandHandler({ store: over, stream: tillStream(category), logger, answerMsMax, ...limits })
const putIn = (id: string = randomUUID()) => ({
  id,
  command: { type: 'PutIn', amount: 1 } as const,
  commandId: randomUUID(),
  requestHash: '',
  actor: 'tester',
})
const eventsOf = (id: string) => store.readStream(`${category}-${id}`, 0n, 10)
const unavailable = { code: 'event_store_unavailable' }

/** A store that accepts connections and never answers. */
const frozenStore = async () => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).resume()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (!address || typeof address === 'string') throw new Error('The server has no port.')
  const frozen = connectEventStore({ url: `esdb://127.0.0.1:${address.port}?tls=false`, logger })
  onTestFinished(async () => {
    await frozen.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return frozen
}

/** A store that appends at once and answers only when the test releases it. */
const heldStore = () => {
  const gate = Promise.withResolvers<void>()
  const sent: Promise<unknown>[] = []
  const held: EventStore = {
    ...store,
    append: (...args) => {
      const reply = store.append(...args)
      sent.push(reply)
      return gate.promise.then(() => reply)
    },
  }
  return { held, sent, release: gate.resolve }
}

test('on a frozen store all commands and all look-ups of recorded answers settle, also more than can be sent at once', async () => {
  const handler = handlerOver(await frozenStore())
  const answers = [...Array.from({ length: 40 }, () => handler.handle(putIn())), handler.recorded(putIn())]
  for (const { status, reason } of (await Promise.allSettled(answers)) as PromiseRejectedResult[])
    expect([status, reason]).toMatchObject(['rejected', unavailable])
})

test('after an unknown outcome a repeat finds the recorded events, and a command that was not sent never is', async () => {
  const { held, sent, release } = heldStore()
  const handler = handlerOver(held)
  const id = randomUUID()
  const [sentCommand, waiting] = [putIn(id), putIn(id)]
  const answers = [handler.handle(sentCommand), handler.handle(waiting)]
  // The first has an append of its own; the second arrives while it is under way.
  for (const { status, reason } of (await Promise.allSettled(answers)) as PromiseRejectedResult[])
    expect([status, reason]).toMatchObject(['rejected', unavailable])
  release()
  await Promise.all(sent)
  const recorded = await eventsOf(id)
  expect(sent).toHaveLength(1)
  expect(recorded.map(({ metadata }) => metadata.commandId)).toEqual([sentCommand.commandId])
  const patient = handlerOver(store, { answerMsMax: 10_000 })
  expect(await patient.handle(sentCommand)).toMatchObject({ revision: 0n, created: true })
  expect(await patient.handle(waiting)).toMatchObject({ revision: 1n })
  expect(await eventsOf(id)).toHaveLength(2)
})

test('a command past its own shorter deadline is dropped, and its neighbours in the queue are not', async () => {
  const { held, sent, release } = heldStore()
  const handler = handlerOver(held, { answerMsMax: 10_000 })
  const id = randomUUID()
  const first = handler.handle(putIn(id))
  const hasty = { ...putIn(id), deadlineMs: performance.now() + answerMsMax }
  const before = handler.handle(putIn(id))
  const givenUp = handler.handle(hasty)
  const after = handler.handle(putIn(id))
  await expect(givenUp).rejects.toMatchObject(unavailable)
  release()
  expect((await Promise.all([first, before, after])).map(({ revision }) => revision)).toEqual([0n, 1n, 2n])
  await Promise.all(sent)
  const written = (await eventsOf(id)).map(({ metadata }) => metadata.commandId)
  expect(written).toHaveLength(3)
  expect(written).not.toContain(hasty.commandId)
})

test('a stream accepts commands again after dropped ones', async () => {
  const { held, sent, release } = heldStore()
  const handler = handlerOver(held, { answerMsMax: 10_000 })
  const id = randomUUID()
  const hasty = { ...putIn(id), deadlineMs: performance.now() + answerMsMax }
  await expect(handler.handle(hasty)).rejects.toMatchObject(unavailable)
  release()
  await Promise.all(sent)
  expect(await handler.handle(putIn(id))).toMatchObject({ revision: 1n })
})

test('an append past its deadline is not sent', async () => {
  const stream = `${category}-${randomUUID()}`
  const event = { id: randomUUID(), type: 'MoneyPutIn', data: { amount: 1 }, metadata: {} }
  await expect(store.append(stream, [event], 'no_stream', performance.now())).rejects.toMatchObject(unavailable)
  expect(await store.readStream(stream, 0n, 1)).toEqual([])
})

test('the cache is bounded by streams and their commands: the least recently used stream is dropped, and read again', async () => {
  const reads: string[] = []
  const counting: EventStore = {
    ...store,
    readStream: (stream, from, maxCount) => {
      reads.push(stream)
      return store.readStream(stream, from, maxCount)
    },
  }
  const handler = handlerOver(counting, { answerMsMax: 10_000, cacheWeightMax: 6 })
  const [one, other] = [randomUUID(), randomUUID()]
  // Each stream weighs one, plus one per command.
  for (const id of [one, one, other, other]) await handler.handle(putIn(id))
  await handler.handle(putIn(one))
  expect(reads).toEqual([])
  await handler.handle(putIn(other))
  expect(reads).toEqual([`${category}-${other}`])
})
