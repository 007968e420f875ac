// Combines pending messages into few writes: for gRPC and HTTP/2 a write costs more than the node needs to read an event.
import { Writable } from 'node:stream'
import type { ServerWritableStream } from '@grpc/grpc-js'
import type { ReadCall } from './calls.ts'
import type { Failure } from './errors.ts'

const packBytesMax = 64 * 1024
/** A compression flag and the length of the message. */
const headerBytes = 5

/**
 * Several messages as one for grpc-js, which allocates `byteLength` bytes and a header, writes the header, and copies the
 * message behind it: this rewrites the header of the first message, and adds the others with their own.
 */
class Pack {
  readonly byteLength: number
  readonly messages: readonly Buffer[]

  constructor(messages: readonly Buffer[]) {
    this.messages = messages
    this.byteLength = messages.reduce((bytes, message) => bytes + headerBytes + message.length, -headerBytes)
  }

  copy(target: Buffer, start: number): void {
    let at = start - headerBytes
    for (const message of this.messages) {
      target.writeUInt8(0, at)
      target.writeUInt32BE(message.length, at + 1)
      at += headerBytes
      at += message.copy(target, at)
    }
  }
}

const packsOf = (messages: readonly Buffer[]): Buffer[] => {
  const packs: Buffer[] = []
  let pack: Buffer[] = []
  let bytes = 0
  const close = () => {
    // grpc-js uses only `byteLength` and `copy` of a message.
    if (pack.length > 0) packs.push(new Pack(pack) as unknown as Buffer)
    pack = []
    bytes = 0
  }
  for (const message of messages) {
    pack.push(message)
    bytes += message.length
    if (bytes >= packBytesMax) close()
  }
  close()
  return packs
}

/** The same call; messages written during a write are packed into the next. A failure follows all written messages. */
export const packing = (call: ServerWritableStream<Buffer, Buffer>): ReadCall => {
  let failure: Failure | undefined
  const packed = new Writable({
    objectMode: true,
    write: (message: Buffer, _, done) => call.write(message, done),
    writev: (waiting, done) => {
      const packs = packsOf(waiting.map(({ chunk }) => chunk))
      for (const [index, pack] of packs.entries()) call.write(pack, index === packs.length - 1 ? done : undefined)
    },
    final: (done) => {
      if (failure) call.emit('error', failure)
      else call.end()
      done()
    },
  })
  const reading = Object.assign(packed, { cancelled: call.cancelled })
  reading.on('error', (failed: unknown) => {
    failure = failed as Failure
    packed.end()
  })
  const over = () => packed.destroy()
  call.on('cancelled', () => {
    reading.cancelled = true
    reading.emit('cancelled')
    over()
  })
  call.on('close', over)
  return reading
}
