// What the tool says about itself.
import type { Command, Option } from './command.ts'
import { self } from './self.ts'
import { strong } from './text.ts'

export const commandLine = ({ name, positionals = [] }: Command): string => [self, ...name, ...positionals].join(' ')

const columns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}

const optionRow = ([name, option]: [string, Option]): [string, string] => [
  option.type === 'string' ? `--${name} ${option.value}` : `--${name}`,
  option.help,
]

const everywhere: readonly (readonly [string, string])[] = [
  ['--json', 'answers in JSON, for scripts'],
  ['--help', 'this text'],
]

/** @param only those that are listed */
export const overview = (only: readonly Command[]): string =>
  [
    'headwater: what operators see and do of Headwater, from what its services keep, whether or not they run.',
    '',
    columns(only.map((command) => [commandLine(command).replace(`${self} `, ''), command.summary])),
    '',
    columns(everywhere),
    '',
    'It reads EVENTSTORE_URL, DATABASE_URL and EDGE_DIRECTORY as the services do; with `npm start` it needs none of them.',
    'It ends with 0, with 1 when something is wrong or refused, with 2 when it was asked wrongly. docs/operations.md has more.',
  ].join('\n')

export const helpOf = (command: Command): string => {
  const { summary, options = {}, more } = command
  return [
    `${strong(commandLine(command))}: ${summary}`,
    '',
    columns([...Object.entries(options).map(optionRow), ...everywhere]),
    ...(more === undefined ? [] : ['', more]),
  ].join('\n')
}
