// From the words on the command line to a command and what it is given, or to what is wrong with them.
import { parseArgs } from 'node:util'
import type { Command, Given } from './command.ts'
import { commands } from './commands.ts'
import { commandLine } from './help.ts'
import { WrongUse } from './refusal.ts'
import { didYouMean } from './suggest.ts'

export type Asked =
  | { readonly help: 'overview'; readonly of: readonly Command[] }
  | { readonly help: 'command'; readonly command: Command }
  | { readonly command: Command; readonly given: Given; readonly isJson: boolean }

const begins = ({ name }: Command, words: readonly string[]): boolean => words.every((word, n) => name[n] === word)

const unknownCommand = (words: readonly string[]): WrongUse => {
  const [first = '', second = ''] = words
  const group = commands.filter((command) => begins(command, [first]))
  const known = [
    ...new Set((group.length > 0 ? group : commands).map(({ name }) => name[group.length > 0 ? 1 : 0] ?? '')),
  ]
  const asked = group.length > 0 ? second : first
  const said = `There is no command ${group.length > 0 ? `${first} ${second}` : first}.`
  return new WrongUse(`${said}${didYouMean(asked, known)} There are: ${known.join(', ')}.`)
}

const parse = (command: Command, args: readonly string[]) => {
  const { options = {} } = command
  const all = { ...options, json: { type: 'boolean', help: '' }, help: { type: 'boolean', help: '' } } as const
  const config = Object.fromEntries(Object.entries(all).map(([name, { type }]) => [name, { type }]))
  try {
    return parseArgs({ args: [...args], options: config, allowPositionals: true })
  } catch (error) {
    const [said = ''] = error instanceof Error ? error.message.split(/\. (?=To )|\n/) : []
    const [, unknown] = /option '--?([^' ]+)/.exec(said) ?? []
    const meant = unknown === undefined ? '' : didYouMean(unknown, Object.keys(all))
    throw new WrongUse(`${said.replace(/\.$/, '')}.${meant.replace('mean ', 'mean --')}`)
  }
}

const givenBy = (values: Readonly<Record<string, unknown>>, positionals: readonly string[]): Given => {
  const text = (option: string) => (typeof values[option] === 'string' ? values[option] : undefined)
  return {
    positionals,
    text,
    flag: (option) => values[option] === true,
    number: (option, { min, max, otherwise, whole }) => {
      const said = text(option)
      if (said === undefined) return otherwise
      const number = said.trim() === '' ? Number.NaN : Number(said)
      if (number >= min && number <= max && (!whole || Number.isInteger(number))) return number
      throw new WrongUse(`--${option} is a ${whole ? 'whole number' : 'number'} from ${min} to ${max}, not "${said}".`)
    },
  }
}

const assertPositionals = (command: Command, given: readonly string[]): void => {
  const { positionals = [] } = command
  const missing = positionals[given.length]
  if (missing?.startsWith('<')) throw new WrongUse(`${missing} is missing: ${commandLine(command)}`)
  const tooMany = given[positionals.length]
  if (tooMany !== undefined) throw new WrongUse(`"${tooMany}" is one word too many: ${commandLine(command)}`)
}

/** @throws WrongUse */
export const ask = (args: readonly string[]): Asked => {
  const [first, ...others] = args
  const isHelp = first === 'help'
  const rest = isHelp ? others : args
  const firstOption = rest.findIndex((word) => word.startsWith('-'))
  const words = firstOption < 0 ? rest : rest.slice(0, firstOption)
  if (words.length === 0 && rest.some((word) => !word.startsWith('-')))
    throw new WrongUse('The command comes first, its options behind it.')
  const command = commands.find(({ name }) => name.every((word, n) => words[n] === word))
  if (!command) {
    const group = commands.filter((one) => begins(one, words))
    if (group.length > 0) return { help: 'overview', of: group }
    throw unknownCommand(words)
  }
  const { values, positionals } = parse(command, rest.slice(command.name.length))
  if (isHelp || values.help) return { help: 'command', command }
  assertPositionals(command, positionals)
  return { command, given: givenBy(values, positionals), isJson: values.json === true }
}
