// Counts and measures for operators, in Prometheus' text format. Labels come from code, never from requests: their number is bounded.

export type Labels = Readonly<Record<string, string>>

export type Sample = { readonly labels?: Labels; readonly value: number }

export type Metrics = {
  /** Something that happened so often; call it each time it does. */
  readonly counter: (name: string, help: string) => (labels?: Labels) => void
  /** How long things take; call it with each duration. */
  readonly histogram: (name: string, help: string) => (seconds: number, labels?: Labels) => void
  /** Something that is so much now; `read` when operators look, and left out while it cannot be read. */
  readonly gauge: (name: string, help: string, read: () => readonly Sample[] | Promise<readonly Sample[]>) => void
  readonly text: () => Promise<string>
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

/** Below what collectors wait for the whole page. */
const readTimeoutMs = 2_000

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

type Measured = { readonly labels: Labels; readonly counts: number[]; count: number; sum: number }

const labelsText = (labels: Labels): string => {
  const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const line = (name: string, labels: Labels, value: number): string => `${name}${labelsText(labels)} ${value}`

const histogramLines = (name: string, { labels, counts, count, sum }: Measured): string[] => [
  ...secondsBuckets.map((le, index) => line(`${name}_bucket`, { ...labels, le: String(le) }, counts[index] ?? 0)),
  line(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
  line(`${name}_sum`, labels, sum),
  line(`${name}_count`, labels, count),
]

/** A gauge in trouble must not take the others with it: that is when operators look. */
const samplesOf = async (read: () => readonly Sample[] | Promise<readonly Sample[]>): Promise<readonly Sample[]> => {
  const silence = Promise.withResolvers<readonly Sample[]>()
  const timer = setTimeout(() => silence.resolve([]), readTimeoutMs)
  try {
    return await Promise.race([read(), silence.promise])
  } catch {
    return []
  } finally {
    clearTimeout(timer)
  }
}

export const createMetrics = (): Metrics => {
  const sections: (() => Promise<string[]>)[] = []
  const add = (type: string, name: string, help: string, lines: () => string[] | Promise<string[]>) =>
    sections.push(async () => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...(await lines())])

  return {
    counter: (name, help) => {
      const counts = new Map<string, number>()
      add('counter', name, help, () => [...counts].map(([labels, count]) => `${name}${labels} ${count}`))
      return (labels = {}) => {
        const key = labelsText(labels)
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    },
    histogram: (name, help) => {
      const measured = new Map<string, Measured>()
      add('histogram', name, help, () => [...measured.values()].flatMap((series) => histogramLines(name, series)))
      return (seconds, labels = {}) => {
        const key = labelsText(labels)
        const series = measured.get(key) ?? { labels, counts: secondsBuckets.map(() => 0), count: 0, sum: 0 }
        measured.set(key, series)
        series.count++
        series.sum += seconds
        secondsBuckets.forEach((le, index) => {
          if (seconds <= le) series.counts[index] = (series.counts[index] ?? 0) + 1
        })
      }
    },
    gauge: (name, help, read) => {
      add('gauge', name, help, async () =>
        (await samplesOf(read)).map(({ labels = {}, value }) => line(name, labels, value)),
      )
    },
    text: async () => `${(await Promise.all(sections.map((section) => section()))).flat().join('\n')}\n`,
  }
}
