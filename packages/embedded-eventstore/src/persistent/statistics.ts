// Counts sent events and measures consumers, for the statistics of a group.

/** Number of last acknowledged events whose times are kept. */
const timesMax = 1_000

const quantiles: readonly (readonly [name: string, share: number])[] = [
  ['Median', 0.5],
  ['Fastest', 0],
  ['Quintile 1', 0.2],
  ['Quintile 2', 0.4],
  ['Quintile 3', 0.6],
  ['Quintile 4', 0.8],
  ['Quintile 5', 1],
  ['90%', 0.9],
  ['95%', 0.95],
  ['99%', 0.99],
  ['99.5%', 0.995],
  ['99.9%', 0.999],
  ['Highest', 1],
]

export type Measurement = { readonly key: string; readonly value: number }

/** Times in whole milliseconds, as in the protocol. */
const measurementsOf = (times: readonly number[]): Measurement[] => {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  const mean = sorted.reduce((sum, time) => sum + time, 0) / Math.max(1, sorted.length)
  const values: [string, number][] = [
    ['Mean', mean],
    ...quantiles.map(([key, share]): [string, number] => [key, at(share)]),
  ]
  return values.map(([key, value]) => ({ key, value: Math.round(value) }))
}

export type Figures = {
  readonly total: number
  /** Number of events since the last call. */
  readonly sinceLast: number
  readonly averagePerSecond: number
  readonly measurements: readonly Measurement[]
}

export const createStatistics = () => {
  const startedAtMs = performance.now()
  const times: number[] = []
  let total = 0
  let totalWhenAsked = 0
  return {
    /** @param tookMs from sending to acknowledgement; undefined without `extraStatistics` */
    count: (tookMs: number | undefined): void => {
      if (tookMs !== undefined) times[total % timesMax] = tookMs
      total++
    },
    ask: (withMeasurements: boolean): Figures => {
      const seconds = (performance.now() - startedAtMs) / 1_000
      const sinceLast = total - totalWhenAsked
      totalWhenAsked = total
      return {
        total,
        sinceLast,
        averagePerSecond: Math.round(total / Math.max(1, seconds)),
        measurements: withMeasurements ? measurementsOf(times) : [],
      }
    },
  }
}
