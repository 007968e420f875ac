// Ends a run of the tests with the files that took longest, which is where to look when the suite grows slow.
import path from 'node:path'
import type { Reporter } from 'vitest/node'

const named = 10

/** From the first import to the last hook. */
type Timed = { readonly moduleId: string; readonly seconds: number }

export default {
  onTestRunEnd: (modules) => {
    if (modules.length <= named) return
    const timed = modules.map((module): Timed => {
      const { collectDuration, setupDuration, duration } = module.diagnostic()
      return { moduleId: module.moduleId, seconds: (collectDuration + setupDuration + duration) / 1_000 }
    })
    const slowest = timed.toSorted((one, other) => other.seconds - one.seconds).slice(0, named)
    console.log(`\nThe ${named} slowest files:`)
    for (const { moduleId, seconds } of slowest)
      console.log(`${seconds.toFixed(1).padStart(7)} s  ${path.relative('.', moduleId)}`)
  },
} satisfies Reporter
