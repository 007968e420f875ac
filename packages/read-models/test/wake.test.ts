// A writer wakes its readers at once, however writers come and go.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listenToWaker, startWaker, type Waker } from '../src/wake.ts'
import { logger, until } from './support.ts'

let directory: string
let file: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'wake-'))
  file = path.join(directory, 'w.sock')
})
afterEach(() => rmSync(directory, { recursive: true }))

const started = async (): Promise<Waker> => {
  const waker = startWaker(file, logger)
  await until('the socket is there', () => existsSync(file))
  return waker
}

/** A reader that has been heard; the counts are of calls since. */
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

test('every reader is woken', async () => {
  const waker = await started()
  const readers = [await listening(), await listening()]
  // The listener calls as soon as it is connected; the writer may know of it a moment later.
  await until('both are woken', () => {
    waker.wake()
    return readers.every(({ calls }) => calls.woken > 0)
  })
  for (const reader of readers) reader.close()
  waker.close()
})

test('a reader learns that its writer is gone, and finds none where none is', async () => {
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

test('a writer answers who asks whether it is there', async () => {
  const waker = await started()
  const reader = listenToWaker(
    file,
    () => undefined,
    () => undefined,
  )
  await reader.hear()
  await Promise.all([reader.hear(), reader.hear()])
  const unanswered = listenToWaker(
    path.join(directory, 'nobody.sock'),
    () => undefined,
    () => undefined,
  ).hear()
  await expect(unanswered).rejects.toThrow('gone')
  waker.close()
  await expect(reader.hear()).rejects.toThrow('gone')
})

test('a writer that ends late does not take the name from its successor', async () => {
  const first = await started()
  const second = startWaker(file, logger)
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
