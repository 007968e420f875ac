// Pending messages leave in few writes, framed as gRPC requires, in order, and before the failure that ends the call.
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { fail } from '../src/wire/calls.ts'
import { failureFor } from '../src/wire/errors.ts'
import { packing } from '../src/wire/packing.ts'

const headerBytes = 5

/** The messages on the wire, framed as grpc-js does: it allocates, writes one header, and copies the rest. */
const onTheWire = (message: Pick<Buffer, 'byteLength' | 'copy'>): string[] => {
  const bytes = Buffer.alloc(headerBytes + message.byteLength)
  bytes.writeUInt32BE(message.byteLength, 1)
  message.copy(bytes, headerBytes)
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + headerBytes + bytes.readUInt32BE(at + 1)
    found.push(bytes.toString('utf8', at + headerBytes, end))
    at = end
  }
  return found
}

test('a slow reader gets all messages, packed, then the failure', async () => {
  const writes: string[][] = []
  let taken: (() => void) | undefined
  const slow = new Writable({
    objectMode: true,
    write: (message: Buffer, _, done) => {
      writes.push(onTheWire(message))
      taken = done
    },
  })
  slow.on('error', ({ message, details = message }: Error & { details?: string }) => writes.push([details]))
  const call = packing(Object.assign(slow, { cancelled: false }) as never)
  for (const text of ['a', '', 'ccc', 'd']) call.write(Buffer.from(text))
  fail(call, failureFor({ kind: 'projection not found', name: 'gone' }))
  const all = () => {
    const done = taken
    taken = undefined
    done?.()
    return writes
  }
  await expect.poll(all, { interval: 1 }).toEqual([['a'], ['', 'ccc', 'd'], ["Projection 'gone' not found"]])
})
