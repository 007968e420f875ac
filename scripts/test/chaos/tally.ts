// What a run has injected and checked: a line of time for a round that fails, and the sums of all rounds at the end.
import { writeFileSync } from 'node:fs'

type TakeOver = { readonly who: string; readonly after: string; readonly ms: number }

export type Tally = {
  /** Something that happened now, for the line of time. */
  readonly note: (what: string) => void
  /** A fault of this kind is injected now. */
  readonly injected: (fault: string, where: string) => void
  /** So many things of this kind were compared and found equal. */
  readonly checked: (what: string, count: number) => void
  readonly difference: () => void
  readonly tookOver: (takeOver: TakeOver) => void
  readonly roundBegins: () => void
  readonly roundEnds: () => void
  /** What happened since the round began. */
  readonly timeline: () => string
  readonly report: () => Report
}

export type Report = {
  readonly rounds: number
  readonly seconds: number
  readonly differences: number
  readonly injected: Readonly<Record<string, number>>
  readonly checked: Readonly<Record<string, number>>
  readonly takeOvers: readonly TakeOver[]
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN

export const startTally = (): Tally => {
  const startedAt = performance.now()
  const injected = new Map<string, number>()
  const checked = new Map<string, number>()
  const takeOvers: TakeOver[] = []
  let lines: string[] = []
  let roundStartedAt = startedAt
  let rounds = 0
  let differences = 0

  const add = (sums: Map<string, number>, name: string, count: number) => sums.set(name, (sums.get(name) ?? 0) + count)
  const note: Tally['note'] = (what) => {
    lines.push(`${((performance.now() - roundStartedAt) / 1_000).toFixed(2).padStart(7)} s  ${what}`)
  }
  return {
    note,
    injected: (fault, where) => {
      add(injected, fault, 1)
      note(`${fault}: ${where}`)
    },
    checked: (what, count) => add(checked, what, count),
    difference: () => {
      differences++
    },
    tookOver: (takeOver) => {
      takeOvers.push(takeOver)
      note(`${takeOver.who} was taken over ${takeOver.ms} ms after ${takeOver.after}`)
    },
    roundBegins: () => {
      roundStartedAt = performance.now()
      lines = []
    },
    roundEnds: () => {
      rounds++
    },
    timeline: () => lines.join('\n'),
    report: () => ({
      rounds,
      seconds: Math.round((performance.now() - startedAt) / 1_000),
      differences,
      injected: Object.fromEntries([...injected].sort()),
      checked: Object.fromEntries(checked),
      takeOvers,
    }),
  }
}

const rows = (sums: Readonly<Record<string, number>>) =>
  Object.entries(sums).map(([name, count]) => `  ${String(count).padStart(9)}  ${name}`)

/** For people. */
export const reportText = ({ rounds, seconds, differences, injected, checked, takeOvers }: Report): string => {
  const who = [...new Set(takeOvers.map((one) => `${one.who}, ${one.after}`))].sort()
  const times = who.map((name) => {
    const sorted = takeOvers
      .filter((one) => `${one.who}, ${one.after}` === name)
      .map(({ ms }) => ms)
      .sort((a, b) => a - b)
    const [p50, max] = [percentile(sorted, 0.5), sorted.at(-1)].map((ms) => `${((ms ?? 0) / 1_000).toFixed(1)} s`)
    return `  ${String(sorted.length).padStart(9)}  ${name}: median ${p50}, longest ${max}`
  })
  return [
    `${rounds} rounds in ${seconds} s, ${differences} differences`,
    'injected',
    ...rows(injected),
    'compared and found equal',
    ...rows(checked),
    'take-overs',
    ...times,
  ].join('\n')
}

/** As JSON, for who asked for it by CHAOS_REPORT. */
export const writeReport = (report: Report, file: string | undefined): void => {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`)
}
