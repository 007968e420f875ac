// A writer wakes its readers at once, also after a change of writers.
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { logger, until } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listenToWaker, startWaker, type Waker } from '../src/sqlite/wake.ts'

const place = { commit: 4_711n, prepare: 4_710n }
let directory: string
let file: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wake-'))
  file = path.join(directory, 'w.sock')
})
afterEach(() => rmSync(directory, { recursive: true }))

const started = async (): Promise<Waker> => {
  const waker = startWaker(file, async () => place, logger)
  await until('the socket is there', () => existsSync(file))
  return waker
}

/** A connected reader; the counts start after the connection. */
const listening = async () => {
  const calls = { woken: 0, ended: 0 }
  const listener = listenToWaker(
    file,
    () => calls.woken++,
    () => calls.ended++,
  )
  await until('the reader is connected', () => calls.woken > 0)
  calls.woken = 0
  return { calls, close: listener.close }
}

test('a writer wakes every reader', async () => {
  const waker = await started()
  const readers = [await listening(), await listening()]
  // The listener may be connected a moment before the writer knows.
  await until('both are woken', () => {
    waker.wake()
    return readers.every(({ calls }) => calls.woken > 0)
  })
  for (const reader of readers) reader.close()
  waker.close()
})

test('a reader notices that its writer is gone, and that no writer listens', async () => {
  const waker = await started()
  const { calls } = await listening()
  waker.close()
  await until('it is told', () => calls.ended === 1)
  let ended = 0
  listenToWaker(
    file,
    () => undefined,
    () => ended++,
  )
  await until('it is told at once', () => ended === 1)
})

test('a writer answers readers with the position that makes rows fresh', async () => {
  const waker = await started()
  const reader = listenToWaker(
    file,
    () => undefined,
    () => undefined,
  )
  expect(await reader.needed()).toEqual(place)
  expect(await Promise.all([reader.needed(), reader.needed()])).toEqual([place, place])
  const unanswered = listenToWaker(
    path.join(directory, 'nobody.sock'),
    () => undefined,
    () => undefined,
  ).needed()
  await expect(unanswered).rejects.toThrow('gone')
  waker.close()
  await expect(reader.needed()).rejects.toThrow('gone')
})

test('a writer that does not know the position says so, and answers once it knows', async () => {
  let isKnown = false
  const unsure = startWaker(
    file,
    async () => {
      if (!isKnown) throw new Error('The store is away.')
      return place
    },
    logger,
  )
  await until('the socket is there', () => existsSync(file))
  const asking = listenToWaker(
    file,
    () => undefined,
    () => undefined,
  )
  await expect(asking.needed()).rejects.toThrow('cannot tell')
  isKnown = true
  expect(await asking.needed()).toEqual(place)
  unsure.close()
})

test('a reader disconnects from a stalled writer, which another may have replaced', async () => {
  const accepted: Socket[] = []
  const still = createServer((socket) => void accepted.push(socket)).listen(file)
  await once(still, 'listening')
  let ended = 0
  const reader = listenToWaker(
    file,
    () => undefined,
    () => ended++,
  )
  await expect(reader.needed()).rejects.toThrow('gone')
  expect(ended).toBe(1)
  for (const socket of accepted) socket.destroy()
  await once(still.close(), 'close')
})

test('a writer that ends late does not remove the socket of its successor', async () => {
  const first = await started()
  const second = startWaker(file, async () => place, logger)
  await until('the successor has the name', async () => {
    const reader = await listening()
    second.wake()
    await new Promise((resolve) => setImmediate(resolve))
    reader.close()
    return reader.calls.woken > 0
  })
  first.close()
  const reader = await listening()
  await until('it is woken', () => {
    second.wake()
    return reader.calls.woken > 0
  })
  reader.close()
  second.close()
})
