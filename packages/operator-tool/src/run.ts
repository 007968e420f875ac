// One use of the tool: from the words on the command line to what is printed, and how it ends.
import { ConfigError, parseConfig } from '@headwater/http-kit/config'
import { type Asked, ask } from './ask.ts'
import type { Answer } from './command.ts'
import { helpOf, overview } from './help.ts'
import { type Surroundings, withParts } from './parts.ts'
import { progressLine } from './progress.ts'
import { Refusal, troubleOf, WrongUse } from './refusal.ts'
import { self } from './self.ts'
import { config, type Settings } from './settings.ts'
import { json } from './text.ts'

/** Something is wrong, or was refused. */
const refusedCode = 1
/** It was not asked as it has to be. */
const wrongUseCode = 2

/** Where it is used: a process, or a test. */
export type Terminal = {
  readonly env: NodeJS.ProcessEnv
  /** The answer. */
  readonly out: (text: string) => void
  /** What is said beside the answer. */
  readonly err: (text: string) => void
  /** Lines may change on it. */
  readonly isTerminal: boolean
  readonly signal: AbortSignal
}

/** What several followers run into is said once. */
const once = (say: (text: string) => void): ((text: string) => void) => {
  const said = new Set<string>()
  return (text) => {
    if (said.has(text)) return
    said.add(text)
    say(text)
  }
}

const line = (write: (text: string) => void) => (text: string) => write(`${text}\n`)

const answer = async (
  asked: Extract<Asked, { given: unknown }>,
  settings: Settings,
  { out, err, isTerminal, signal }: Terminal,
): Promise<Answer | undefined> => {
  const surroundings: Surroundings = {
    isJson: asked.isJson,
    out: line(out),
    note: once(line(err)),
    progress: progressLine({ write: err, isTerminal }),
    signal,
  }
  return withParts(settings, surroundings, (context) => asked.command.run(context, asked.given))
}

const settingsOf = (env: NodeJS.ProcessEnv): Settings => {
  try {
    return parseConfig(config, env)
  } catch (error) {
    if (error instanceof ConfigError) throw new Refusal(`The environment is not right:\n${error.message}`)
    throw error
  }
}

/** @returns the exit code */
export const run = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const [out, err] = [line(terminal.out), line(terminal.err)]
  let settings: Settings | undefined
  try {
    const asked = ask(args)
    if ('help' in asked) {
      out(asked.help === 'command' ? helpOf(asked.command) : overview(asked.of))
      return 0
    }
    settings = settingsOf(terminal.env)
    const said = await answer(asked, settings, terminal)
    if (said) out(asked.isJson ? json(said.json, 2) : said.text)
    return said?.exitCode ?? 0
  } catch (error) {
    if (error instanceof WrongUse) {
      err(`${error.message}\n${self} --help says how it is used.`)
      return wrongUseCode
    }
    err(settings ? troubleOf(error, settings) : error instanceof Refusal ? error.message : String(error))
    return refusedCode
  }
}
