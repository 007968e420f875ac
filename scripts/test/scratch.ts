// Gives the tests a folder of this run's own for what they write, in memory where the machine has room: nothing there outlives the run.
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import path from 'node:path'

const inMemory = '/dev/shm'
/** Containers have 64 MB there by default. */
const roomBytesMin = 3 * 2 ** 30

const hasRoom = (folder: string): boolean => {
  if (!existsSync(folder)) return false
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize >= roomBytesMin
}

const parent = hasRoom(inMemory)
  ? path.join(inMemory, `headwater-tests-${process.getuid?.()}`)
  : path.resolve(import.meta.dirname, '../../.data/tests')

/** Folders are named by the process that uses them; a run that was killed leaves its own behind. */
const removeLeftovers = () => {
  for (const name of readdirSync(parent)) {
    if (existsSync(`/proc/${name}`)) continue
    rmSync(path.join(parent, name), { recursive: true, force: true })
  }
}

/** The folder, for code that runs outside of the tests. */
export const scratch = path.join(parent, String(process.pid))

/** Everything that a test or a process of it puts into `tmpdir()` goes there. */
export default (): (() => void) => {
  mkdirSync(parent, { recursive: true })
  removeLeftovers()
  mkdirSync(scratch)
  chmodSync(scratch, 0o755) // PostgreSQL may run as another user
  process.env.TMPDIR = scratch
  return () => rmSync(scratch, { recursive: true, force: true })
}
