// Prints the JSON logs of many processes as lines for people, each with the name of its process.
import { stripVTControlCharacters, styleText } from 'node:util'

export type Print = (name: string, line: string) => void

const colours = ['cyan', 'magenta', 'blue', 'green', 'yellow'] as const
const loud: Readonly<Record<string, 'yellow' | 'red'>> = { warn: 'yellow', error: 'red', fatal: 'red' }

type LogLine = { readonly level: string; readonly msg: string; readonly err?: { readonly message?: string } }

const parse = (line: string): LogLine | undefined => {
  try {
    const parsed: unknown = JSON.parse(line)
    const isLog = typeof parsed === 'object' && parsed !== null && 'level' in parsed && 'msg' in parsed
    return isLog ? (parsed as LogLine) : undefined
  } catch {
    return undefined
  }
}

const readable = (line: string): string => {
  const log = parse(line)
  if (!log) return line
  const text = log.err?.message ? `${log.msg}: ${log.err.message}` : log.msg
  const colour = loud[log.level]
  return colour ? `${styleText(colour, log.level)} ${text}` : text
}

export const createPrinter = (names: readonly string[]): Print => {
  const width = Math.max(...names.map((name) => name.length))
  return (name, line) => {
    const place = names.indexOf(name)
    const prefix = styleText(colours[place % colours.length] ?? 'gray', `${name.padEnd(width)} |`)
    const text = `${prefix} ${readable(line)}\n`
    process.stdout.write(process.stdout.isTTY ? text : stripVTControlCharacters(text))
  }
}
