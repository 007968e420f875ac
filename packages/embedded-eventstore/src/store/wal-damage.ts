// Finds damage in SQLite's write-ahead log, which SQLite itself takes for the end of what was written: it would drop, in silence, all that follows.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const headerBytes = 32
const frameHeaderBytes = 24
// Checksums over words of the order that this magic number names; every machine that Node.js is released for writes it.
const magicLittleEndian = 0x377f0682

type Checksum = readonly [number, number]

/** SQLite's own: over pairs of 32-bit words, each sum beginning with the one before it. */
const sumOf = (bytes: Buffer, [first, second]: Checksum): Checksum => {
  let one = first
  let other = second
  for (let at = 0; at < bytes.length; at += 8) {
    one = (one + bytes.readUInt32LE(at) + other) >>> 0
    other = (other + bytes.readUInt32LE(at + 4) + one) >>> 0
  }
  return [one, other]
}
const isSame = ([one, other]: Checksum, bytes: Buffer, at: number): boolean =>
  bytes.readUInt32BE(at) === one && bytes.readUInt32BE(at + 4) === other

type Frames = {
  readonly count: number
  /** Whether its sum continues that of the frame before. */
  readonly isValid: (number: number) => boolean
  /** Whether it ends a transaction, as far as it says so. */
  readonly isCommit: (number: number) => boolean
}

/** undefined: there is nothing that can be said about it. */
const readFrames = (file: number, bytes: number): Frames | 'damaged header' | undefined => {
  const header = Buffer.alloc(headerBytes)
  readSync(file, header, 0, headerBytes, 0)
  const pageBytes = header.readUInt32BE(8)
  const frameBytes = frameHeaderBytes + pageBytes
  const sumOfHeader = sumOf(header.subarray(0, headerBytes - 8), [0, 0])
  if (header.readUInt32BE(0) !== magicLittleEndian || !isSame(sumOfHeader, header, headerBytes - 8)) {
    // It is on disk before any frame is: only a log that was never used may have none.
    const frame = Buffer.alloc(Math.min(bytes - headerBytes, frameHeaderBytes))
    readSync(file, frame, 0, frame.length, headerBytes)
    return frame.some((byte) => byte !== 0) ? 'damaged header' : undefined
  }
  const frame = Buffer.alloc(frameBytes)
  let loaded = -1
  const load = (number: number): Buffer => {
    if (loaded !== number) readSync(file, frame, 0, frameBytes, headerBytes + number * frameBytes)
    loaded = number
    return frame
  }
  const sumBefore = (number: number): Checksum => {
    if (number === 0) return sumOfHeader
    const sum = Buffer.alloc(8)
    readSync(file, sum, 0, 8, headerBytes + (number - 1) * frameBytes + 16)
    return [sum.readUInt32BE(0), sum.readUInt32BE(4)]
  }
  // Frames of the log's earlier rounds have other salts.
  const isOfThisRound = (number: number): boolean => load(number).subarray(8, 16).equals(header.subarray(16, 24))
  return {
    count: Math.floor((bytes - headerBytes) / frameBytes),
    isCommit: (number) => isOfThisRound(number) && load(number).readUInt32BE(4) !== 0,
    isValid: (number) => {
      if (!isOfThisRound(number)) return false
      const read = load(number)
      const sum = sumOf(read.subarray(frameHeaderBytes), sumOf(read.subarray(0, 8), sumBefore(number)))
      return isSame(sum, read, 16)
    },
  }
}

// With synchronous=FULL a transaction is on disk before the next begins. What comes after the end of a transaction proves that
// it was whole: a frame of it that is not valid was damaged later. In the last transaction such a frame may be a torn write.
const findDamage = ({ count, isValid, isCommit }: Frames): string | undefined => {
  let first = 0
  while (first < count && isValid(first)) first++
  let isEnded = first < count && isCommit(first)
  for (let number = first + 1; number < count; number++) {
    if (!isValid(number)) continue
    if (isEnded)
      return `frame ${first + 1} of its write-ahead log is not what was written, and frame ${number + 1} after it is`
    isEnded = isCommit(number)
  }
  return undefined
}

/**
 * Says what is wrong with the write-ahead log of a database that nobody uses.
 * @returns undefined when there is none, or nothing in it that is certainly damaged
 */
export const walDamage = (database: string): string | undefined => {
  let file: number
  try {
    file = openSync(`${database}-wal`, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { size } = fstatSync(file)
    if (size <= headerBytes) return undefined
    const frames = readFrames(file, size)
    if (frames === 'damaged header') return 'the header of its write-ahead log is not what was written'
    return frames && findDamage(frames)
  } finally {
    closeSync(file)
  }
}
