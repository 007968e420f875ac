// The run as one table for the terminal and as docs/benchmarks.md.
import { type Figures, type Measure, type Result, ratiosOf, spreadOf, verdictOn } from './measure.ts'

export type Measured = {
  readonly measure: Measure
  readonly results: readonly Result[]
  /** Why nothing was measured. */
  readonly failure?: string | undefined
  /** Of a run in which a goal was missed: where the time went. */
  readonly profile?: readonly string[]
}

const compact = (value: number): string => {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  if (value >= 10) return value.toFixed(1)
  return value.toFixed(2)
}

const spreadText = (figures: Figures): string => {
  const { min, median, max } = spreadOf(figures)
  return !(max > 0) ? '-' : `${compact(min)} / **${compact(median)}** / ${compact(max)}`
}

const goalText = ({ goal, unit }: Result): string => {
  if (!goal) return ''
  const of = goal.of === 'ratio' ? '×' : ` ${unit}`
  return goal.atLeast === undefined ? `< ${compact(goal.below ?? 0)}${of}` : `≥ ${compact(goal.atLeast)}${of}`
}

const columns = ['ratio', 'what', 'Headwater', 'beside', 'unit', 'goal', ''] as const

const rowOf = (result: Result): readonly string[] => {
  const { what, unit, ours, beside } = result
  return [
    spreadText(ratiosOf(result)),
    what,
    spreadText(ours),
    beside ? `${beside.name}: ${spreadText(beside.figures)}` : '',
    unit,
    goalText(result),
    verdictOn(result) ?? '',
  ]
}

const escaped = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const markdownTable = (results: readonly Result[]): string =>
  [columns, columns.map(() => '---'), ...results.map(rowOf)]
    .map((cells) => `| ${cells.map(escaped).join(' | ')} |`)
    .join('\n')

/** What has to be said beside the figures. */
export const notesOn = (results: readonly Result[]): readonly string[] => {
  const notes = results.flatMap((result) => {
    const { what, note, beside, missedBecause } = result
    return [
      note === undefined ? [] : `${what}: ${note}`,
      beside?.trouble === undefined ? [] : `${what}, ${beside.name}: ${beside.trouble}`,
      missedBecause === undefined || verdictOn(result) !== 'MISSED'
        ? []
        : `${what}, goal missed, probably because ${missedBecause}`,
    ].flat()
  })
  return [...new Set(notes)]
}

/** With ratios first, widths aligned. */
export const terminalTable = (measured: readonly Measured[]): string => {
  const rows = [columns, ...measured.flatMap(({ results }) => results.map(rowOf))].map((cells) =>
    cells.map((cell) => cell.replaceAll('**', '')),
  )
  const widths = columns.map((_, n) => Math.max(...rows.map((cells) => cells[n]?.length ?? 0)))
  return rows
    .map((cells) =>
      cells
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const section = ({ measure: { title, how }, results, failure, profile }: Measured): string => {
  const notes = notesOn(results).map((note) => `- ${note}`)
  const missed = results.filter((result) => verdictOn(result) === 'MISSED')
  return [
    `## ${title}`,
    how,
    failure === undefined ? markdownTable(results) : `Not measured: ${failure}`,
    ...(notes.length > 0 ? [notes.join('\n')] : []),
    ...(missed.length > 0
      ? [
          `Missed: ${missed.map(({ what }) => what).join('; ')}. Where the time went, process by process (own time, as a share of the time that the process was busy, in a run of its own under \`node --cpu-prof\`):`,
          ['```', ...(profile ?? ['no profile']), '```'].join('\n'),
        ]
      : []),
  ].join('\n\n')
}

export const markdown = (
  facts: Readonly<Record<string, string>>,
  measured: readonly Measured[],
): string => `# Benchmarks

\`npm run bench\` writes this file. Every figure is the minimum, **median** and maximum of several rounds; what is
compared runs in the same rounds, in turns, so that what disturbs the machine disturbs both sides. The ratio is taken
round by round and says how many times better Headwater is (for costs: how many times more the large case costs).

${Object.entries(facts)
  .map(([name, value]) => `- ${name}: ${value}`)
  .join('\n')}

${measured.map(section).join('\n\n')}
`
