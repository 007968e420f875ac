// How the writer of a file wakes its readers in other processes, and shows them that it lives: bytes through a unix domain socket.
import { rename } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import type { Logger } from 'pino'

const woken = '.'
const areYouThere = '?'
const here = '!'

export type Waker = { readonly wake: () => void; readonly close: () => void }

/** Readers that cannot connect fall back to polling, so trouble here costs time and nothing else. */
export const startWaker = (file: string, logger: Logger): Waker => {
  const readers = new Set<Socket>()
  const server = createServer((reader) => {
    readers.add(reader)
    reader.on('error', () => reader.destroy())
    reader.on('close', () => readers.delete(reader))
    reader.unref()
    // One answer to several questions is enough: whoever asks wants to know that there is somebody.
    reader.on('data', () => reader.write(here))
  })
  const failed = (error: unknown) => logger.warn({ err: error, file }, 'readers will not be woken, they will poll')
  server.on('error', failed)
  server.unref()
  // A closing server unlinks the name that it bound: never this one, which a successor may have taken by then.
  const ownName = `${file}.${process.pid}.${Date.now().toString(36)}`
  server.listen(ownName, () => {
    rename(ownName, file).catch(failed)
  })
  return {
    wake: () => {
      for (const reader of readers) if (reader.writableLength === 0) reader.write(woken)
    },
    close: () => {
      for (const reader of readers) reader.destroy()
      server.close()
    },
  }
}

export type Listener = {
  /** Resolves when the writer has answered; rejects when it is gone. */
  readonly hear: () => Promise<void>
  readonly close: () => void
}

/** Calls `wake` for every byte or several; `ended` when there is no writer to listen to, or no more. */
export const listenToWaker = (file: string, wake: () => void, ended: () => void): Listener => {
  const socket = connect(file).setEncoding('latin1')
  const asking = new Set<PromiseWithResolvers<void>>()
  socket.unref()
  socket.on('connect', wake) // a commit may have come before the connection
  socket.on('data', (text: string) => {
    if (text.includes(here)) {
      for (const { resolve } of asking) resolve()
      asking.clear()
    }
    if (text.includes(woken)) wake()
  })
  socket.on('error', () => undefined) // 'close' follows
  socket.on('close', () => {
    for (const { reject } of asking) reject(new Error('The writer is gone.'))
    ended()
  })
  return {
    hear: () => {
      const question = Promise.withResolvers<void>()
      asking.add(question)
      if (socket.destroyed) question.reject(new Error('The writer is gone.'))
      else socket.write(areYouThere)
      return question.promise
    },
    close: () => socket.destroy(),
  }
}
