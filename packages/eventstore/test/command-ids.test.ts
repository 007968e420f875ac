// Repeats of commands that a process no longer has in memory are found in the stream, as far back as the command says.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { EventStore } from '../src/client/client.ts'
import type { CommandRequest } from '../src/commands/command-request.ts'
import { type CommandHandler, createCommandHandler } from '../src/commands/handle-command.ts'
import { connectTestStore, logger, runPrefix } from './support.ts'
import { type TillCommand, tillStream } from './till.ts'

const category = `${runPrefix}till`
const id = 'long'
const stream = `${category}-${id}`
const events = 12_000
const commandIdOf = (revision: number) => `command ${revision}`
let store: EventStore
let close: () => Promise<void>

beforeAll(async () => {
  ;({ store, close } = await connectTestStore())
  for (let from = 0; from < events; from += 500) {
    const page = Array.from({ length: 500 }, (_, n) => ({
      id: randomUUID(),
      type: 'MoneyPutIn',
      data: { amount: 1 },
      metadata: { commandId: commandIdOf(from + n), requestHash: 'the same', schema: 1 },
    }))
    await store.append(stream, page, from === 0 ? 'no_stream' : BigInt(from) - 1n)
  }
  const over: EventStore = {
    ...store,
    readStreamBack: (name, from, maxCount) => {
      if (typeof from === 'bigint') readBackFrom.push(from)
      return store.readStreamBack(name, from, maxCount)
    },
  }
  warm = createCommandHandler({ store: over, stream: tillStream(category), logger })
  await append('now')
})
afterAll(() => close())

const putIn = (commandId: string, notBefore?: CommandRequest<TillCommand>['notBefore']) => ({
  id,
  command: { type: 'PutIn', amount: 1 } as const,
  commandId,
  requestHash: 'the same',
  actor: 'tester',
  notBefore,
})

/** A replica that has the stream cached. */
let warm: CommandHandler<TillCommand>
/** The revisions from which it has read backwards. */
const readBackFrom: bigint[] = []

/** The stream's last revision. */
const append = async (notBefore: CommandRequest<TillCommand>['notBefore']) =>
  Number((await warm.handle(putIn(randomUUID(), notBefore))).revision)

beforeEach(() => {
  readBackFrom.length = 0
})

test('a repeat of a command older than all in memory gets the first answer, cold and warm', async () => {
  const answer = { id, revision: 100n, created: false, appended: false }
  const cold = createCommandHandler({ store, stream: tillStream(category), logger })
  expect(await cold.handle(putIn(commandIdOf(100)))).toMatchObject(answer)
  expect(await cold.recorded(putIn(commandIdOf(100)))).toMatchObject(answer)
  expect(await warm.handle(putIn(commandIdOf(100)))).toMatchObject(answer)
  expect(await warm.recorded(putIn(commandIdOf(0)))).toMatchObject({ revision: 0n, created: true })
  const reused = { ...putIn(commandIdOf(100)), requestHash: 'another' }
  await expect(warm.handle(reused)).rejects.toMatchObject({ code: 'idempotency_key_reused' })
})

describe('the stream is read back', () => {
  const positionOf = async (revision: number) => {
    const [event] = await store.readStream(stream, BigInt(revision), 1)
    if (!event) throw new Error(`The stream has no event ${revision}.`)
    return event.position
  }

  test('neither for a new command, nor for one caused by an event after which all commands are in memory', async () => {
    const head = await append('now')
    await append(new Date(Date.now() + 60_000))
    await append(await positionOf(head - 900))
    expect(await warm.handle(putIn(commandIdOf(events - 1), 'now'))).toMatchObject({ appended: false })
    expect(readBackFrom).toEqual([])
  })

  test('to the event that caused the command, and no further', async () => {
    const head = await append('now')
    await append(await positionOf(head - 1_200))
    expect(readBackFrom).toEqual([BigInt(head - 1_000)])
  })

  test('to the recorded command, and no further', async () => {
    const head = await append('now')
    expect(await warm.handle(putIn(commandIdOf(events - 1_700)))).toMatchObject({ appended: false })
    expect(readBackFrom).toEqual([BigInt(head - 1_000), BigInt(head - 1_500)])
  })

  test('to a time, over at most the newest 10,000 events', async () => {
    const ever = new Date(0)
    expect(await warm.handle(putIn(commandIdOf(3_000), ever))).toMatchObject({ appended: false, revision: 3_000n })
    readBackFrom.length = 0
    expect(await warm.handle(putIn(commandIdOf(500), ever))).toMatchObject({ appended: true })
    expect(readBackFrom).toHaveLength(18)
  })
})
