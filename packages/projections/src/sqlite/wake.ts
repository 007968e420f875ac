// The unix domain socket on which the writer of a file wakes its readers, and answers which position makes their rows fresh.
import { rename } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { formatPosition, type Position, parsePosition } from '@headwater/eventstore/position'
import type { Logger } from 'pino'

/** Messages, one per line. An answer is a position. */
const woken = '.\n'
const question = '?\n'
const unknown = '-\n'
/** A writer that takes longer has stalled; another may have replaced it. */
const answerMsMax = 1_500
const connectMsMax = 500

export type Waker = { readonly wake: () => void; readonly close: () => void }

/**
 * Readers that cannot connect fall back to polling, so errors here only cost time.
 * @param needed answers readers with the position that makes their rows fresh
 */
export const startWaker = (file: string, needed: () => Promise<Position>, logger: Logger): Waker => {
  const readers = new Set<Socket>()
  const answer = async (reader: Socket) => {
    const text = await needed().then(
      (position) => `${formatPosition(position)}\n`,
      (error: unknown) => {
        logger.warn({ err: error, file }, 'a reader cannot be told how far the rows have to be')
        return unknown
      },
    )
    reader.write(text)
  }
  const server = createServer((reader) => {
    readers.add(reader)
    reader.on('error', () => reader.destroy())
    reader.on('close', () => readers.delete(reader))
    reader.unref()
    reader.setEncoding('latin1').on('data', (text: string) => {
      for (const _ of text.matchAll(/\n/g)) void answer(reader)
    })
  })
  const failed = (error: unknown) => logger.warn({ err: error, file }, 'readers will not be woken, they will poll')
  server.on('error', failed)
  server.unref()
  // A closing server unlinks the name it bound: `file` may be a successor's by then, so each server binds its own name.
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

/** True when a writer listens on the socket: one without a listener refuses connections. */
export const hasWaker = (file: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(file)
    const settle = (does: boolean) => {
      socket.destroy()
      resolve(does)
    }
    socket.setTimeout(connectMsMax, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })

export type Listener = {
  /** The position that makes rows fresh. Rejects when the writer does not know it, is gone, or is silent, which closes the connection. */
  readonly needed: () => Promise<Position>
  readonly close: () => void
}

/** Calls `wake` after commits, once for several, and `ended` when there is no writer, or no longer. */
export const listenToWaker = (file: string, wake: () => void, ended: () => void): Listener => {
  const socket = connect(file).setEncoding('latin1')
  /** In the order of the questions. */
  const asking: PromiseWithResolvers<Position>[] = []
  let silence: NodeJS.Timeout | undefined
  const expectAnswer = () => {
    clearTimeout(silence)
    silence = asking.length > 0 ? setTimeout(() => socket.destroy(), answerMsMax).unref() : undefined
  }
  socket.unref()
  socket.on('connect', wake) // a commit may precede the connection
  const lines = createInterface({ input: socket })
  lines.on('line', (line) => {
    if (`${line}\n` === woken) return wake()
    const asked = asking.shift()
    const position = parsePosition(line)
    if (position) asked?.resolve(position)
    else asked?.reject(new Error('The writer cannot tell.'))
    expectAnswer()
  })
  // 'close' follows
  lines.on('error', () => undefined)
  socket.on('error', () => undefined)
  socket.on('close', () => {
    clearTimeout(silence)
    for (const { reject } of asking) reject(new Error('The writer is gone.'))
    ended()
  })
  return {
    needed: async () => {
      if (socket.destroyed) throw new Error('The writer is gone.')
      const asked = Promise.withResolvers<Position>()
      asking.push(asked)
      socket.write(question)
      if (!silence) expectAnswer()
      return asked.promise
    },
    close: () => socket.destroy(),
  }
}
