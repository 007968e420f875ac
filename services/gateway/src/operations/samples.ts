// Keeps what operators look at of the last minutes, so that a page has its curves at once; costs nothing while nobody looks.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Look } from './look.ts'

export const sampledEveryMs = 2_000
const keptMs = 5 * 60_000
const samplesMax = keptMs / sampledEveryMs
/** So long after an operator looked last, samples go on. */
const watchedMsDefault = 5 * 60_000
/** Several operators share a look of this age. */
const freshMs = 1_000
/** A rate is told over so long: a batch a second is no zigzag. */
const rateOverMs = 10_000

type Sample = { readonly atMs: number; readonly lagMs: number | null; readonly changes: number | null }

/** Of one follower, the oldest first. */
export type History = {
  readonly lagMs: readonly (number | null)[]
  readonly rowsPerSecond: readonly (number | null)[]
}

/** Null when it cannot be told: of the first sample, of gaps, and where counting began anew. */
export const ratesOf = (samples: readonly Sample[]): readonly (number | null)[] =>
  samples.map(({ atMs, changes }, n) => {
    const from = samples.slice(0, n).find((earlier) => earlier.atMs >= atMs - rateOverMs && earlier.changes !== null)
    if (changes === null || from?.changes == null || changes < from.changes) return null
    return ((changes - from.changes) * 1_000) / (atMs - from.atMs)
  })

const sampleOf = ({ at, followers }: Look, name: string): Sample => {
  const { stored = 'away', measured } = followers.get(name) ?? {}
  const changes = stored === 'away' || !stored.checkpoint ? null : stored.changes
  return { atMs: at.getTime(), lagMs: measured?.lagMs ?? null, changes }
}

export type Samples = {
  /** What is there now, for somebody who looks; samples are kept from now on. */
  readonly watch: () => Promise<Look>
  readonly historyOf: (name: string) => History
  /** What was seen is not true any more: something was asked for. */
  readonly forget: () => void
  readonly stop: () => void
}

export const keepSamples = (
  look: () => Promise<Look>,
  followers: readonly Pick<Follower, 'name'>[],
  { watchedMs = watchedMsDefault } = {},
): Samples => {
  const ending = new AbortController()
  const samples = new Map<string, Sample[]>(followers.map(({ name }) => [name, []]))
  let watchedAtMs = Number.NEGATIVE_INFINITY
  let latest: Look | undefined
  let looking: Promise<Look> | undefined
  /** A look that was begun before something was asked for: what it asks is not asked beside it, and may be answered as before. */
  let outdated: Promise<unknown> | undefined
  let isRunning = false

  const lookNow = (): Promise<Look> => {
    if (looking) return looking
    const begun = (outdated ? outdated.then(look, look) : look()).then((found) => {
      // Unless it was begun before something was asked for.
      if (looking === begun) {
        latest = found
        looking = undefined
      }
      return found
    })
    looking = begun
    return begun
  }

  const keep = (found: Look) => {
    for (const [name, kept] of samples) {
      kept.push(sampleOf(found, name))
      if (kept.length > samplesMax) kept.shift()
    }
  }

  const run = async () => {
    isRunning = true
    while (!ending.signal.aborted && performance.now() - watchedAtMs < watchedMs) {
      keep(await lookNow())
      await sleep(sampledEveryMs, undefined, { signal: ending.signal }).catch(() => undefined)
    }
    isRunning = false
    for (const kept of samples.values()) kept.length = 0
  }

  return {
    watch: async () => {
      watchedAtMs = performance.now()
      if (!isRunning) void run()
      const isFresh = latest && Date.now() - latest.at.getTime() < freshMs
      return isFresh && latest ? latest : lookNow()
    },
    historyOf: (name) => {
      const kept = samples.get(name) ?? []
      return { lagMs: kept.map(({ lagMs }) => lagMs), rowsPerSecond: ratesOf(kept) }
    },
    forget: () => {
      latest = undefined
      outdated = looking ?? outdated
      looking = undefined
    },
    stop: () => ending.abort(),
  }
}
