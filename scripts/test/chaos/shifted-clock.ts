// Loaded before a service (`node --import`): its wall clock is off by the seconds that a file says, and jumps when the file changes.
// Timers and `performance.now()` go on as they do in reality: what jumps when somebody sets a clock is the time of day.
import { readFileSync } from 'node:fs'

const lookEveryMs = 20

const file = process.env.CLOCK_SHIFT_FILE
const RealDate = Date
let shiftMs = 0

const look = () => {
  if (file === undefined) return
  try {
    shiftMs = 1_000 * Number(readFileSync(file, 'utf8'))
  } catch {
    // No file yet: the clock is right.
  }
}
look()
setInterval(look, lookEveryMs).unref()

const now = () => RealDate.now() + shiftMs

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given, self) => Reflect.construct(target, given.length === 0 ? [now()] : given, self),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
