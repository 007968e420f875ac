// Detects damage in SQLite's write-ahead log. SQLite would treat it as the end of the log and silently drop all later writes.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const headerBytes = 32
const frameHeaderBytes = 24
// The magic number for little-endian checksums, which all platforms of Node.js write.
const magicLittleEndian = 0x377f0682

type Checksum = readonly [number, number]

/** SQLite's checksum: over pairs of 32-bit words, continued from the frame before. */
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
  /** True when its checksum continues that of the frame before. */
  readonly isValid: (number: number) => boolean
  /** True when the frame is marked as the end of a transaction. */
  readonly isCommit: (number: number) => boolean
}

/** undefined: cannot be checked. */
const readFrames = (file: number, bytes: number): Frames | 'damaged header' | undefined => {
  const header = Buffer.alloc(headerBytes)
  readSync(file, header, 0, headerBytes, 0)
  const pageBytes = header.readUInt32BE(8)
  const frameBytes = frameHeaderBytes + pageBytes
  const sumOfHeader = sumOf(header.subarray(0, headerBytes - 8), [0, 0])
  if (header.readUInt32BE(0) !== magicLittleEndian || !isSame(sumOfHeader, header, headerBytes - 8)) {
    // The header is on disk before any frame: only an unused log may lack it.
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
  // Frames from before the last restart of the log have other salts.
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

// With synchronous=FULL a transaction is on disk before the next begins. A later transaction proves that the earlier
// ones were complete: an invalid frame in them was damaged later. In the last one it may be a torn write.
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
 * Describes damage in the write-ahead log of a closed database.
 * @returns undefined without a log, or without certain damage
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
