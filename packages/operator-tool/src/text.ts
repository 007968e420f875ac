// Answers as text for people: tables, durations, counts, moments.
import { stripVTControlCharacters, styleText } from 'node:util'

export type Tone = 'good' | 'warning' | 'bad' | 'quiet'
/** A tone is shown on terminals only. */
export type Cell = string | { readonly text: string; readonly tone: Tone }

const colors = { good: 'green', warning: 'yellow', bad: 'red', quiet: 'dim' } as const

/** What comes from events and errors must not move the cursor. */
export const plain = (text: string): string => stripVTControlCharacters(text).replaceAll(/\p{Cc}+/gu, ' ')

export const toned = (text: string, tone: Tone): string => styleText(colors[tone], text)
export const strong = (text: string): string => styleText('bold', text)

const textOf = (cell: Cell) => plain(typeof cell === 'string' ? cell : cell.text)

/** Columns as wide as their longest cell; of the last one nothing is cut off either. */
export const table = (head: readonly string[], rows: readonly (readonly Cell[])[]): string => {
  const widths = head.map((name, n) => Math.max(name.length, ...rows.map((row) => textOf(row[n] ?? '').length)))
  const padded = (text: string, n: number) => (n === head.length - 1 ? text : text.padEnd(widths[n] ?? 0))
  const line = (row: readonly Cell[]) =>
    row
      .map((cell, n) => (typeof cell === 'string' ? padded(plain(cell), n) : toned(padded(textOf(cell), n), cell.tone)))
      .join('  ')
      .trimEnd()
  return [strong(line(head)), ...rows.map(line)].join('\n')
}

/** Name and value a line; without the undefined ones. */
export const details = (values: Readonly<Record<string, string | undefined>>): string => {
  const width = Math.max(...Object.keys(values).map((name) => name.length))
  return Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${strong(name.padEnd(width))}  ${plain(value)}`]))
    .join('\n')
}

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** Of the largest unit that it has at least one of, as `3 min`. */
export const duration = (ms: number): string => {
  const seconds = ms / 1_000
  if (seconds === 0) return '0 s'
  if (seconds < 1) return `${seconds.toFixed(1)} s`
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? ['s', 1]
  return `${Math.floor(seconds / length)} ${unit}`
}

export const ago = (at: Date): string => `${duration(Math.max(0, Date.now() - at.getTime()))} ago`

/** To the second. */
export const moment = (at: Date): string =>
  at
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')

export const count = (number: number, unit: string, units = `${unit}s`): string =>
  `${number.toLocaleString('en')} ${number === 1 ? unit : units}`

/** JSON of whatever a command answers: 64-bit numbers as text, as everywhere outside. */
export const json = (value: unknown, indent?: number): string =>
  JSON.stringify(value, (_name, one: unknown) => (typeof one === 'bigint' ? String(one) : one), indent)
