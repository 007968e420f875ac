// How the writer of a file wakes its readers in other processes: one byte a commit through a unix domain socket.
import { rename } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import type { Logger } from 'pino'

export type Waker = { readonly wake: () => void; readonly close: () => void }

/** Readers that cannot connect fall back to polling, so trouble here costs time and nothing else. */
export const startWaker = (file: string, logger: Logger): Waker => {
  const readers = new Set<Socket>()
  const server = createServer((reader) => {
    readers.add(reader)
    reader.on('error', () => reader.destroy())
    reader.on('close', () => readers.delete(reader))
    reader.unref()
    reader.resume()
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
      for (const reader of readers) if (reader.writableLength === 0) reader.write('.')
    },
    close: () => {
      for (const reader of readers) reader.destroy()
      server.close()
    },
  }
}

/** Calls `woken` for every byte or several; `ended` when there is no writer to listen to, or no more. */
export const listenToWaker = (file: string, woken: () => void, ended: () => void): { readonly close: () => void } => {
  const socket = connect(file)
  socket.unref()
  socket.on('connect', woken) // a commit may have come before the connection
  socket.on('data', woken)
  socket.on('error', () => undefined) // 'close' follows
  socket.on('close', ended)
  return { close: () => socket.destroy() }
}
