// What a command of the tool is, and what it is given to work with.
import type { EventStore } from '@headwater/eventstore/client/client'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Pool } from 'pg'
import type { ProgressLine } from './progress.ts'
import type { Settings } from './settings.ts'

export type Option = { readonly help: string } & (
  | { readonly type: 'boolean' }
  /** `value` stands for it in the help, as `<name>`. */
  | { readonly type: 'string'; readonly value: string }
)

/** What the command was asked with. */
export type Given = {
  readonly positionals: readonly string[]
  readonly text: (option: string) => string | undefined
  readonly flag: (option: string) => boolean
  /** @throws WrongUse when it is no such number */
  readonly number: (option: string, limits: Limits) => number
}

export type Limits = { readonly min: number; readonly max: number; readonly otherwise: number; readonly whole: boolean }

/** What came of it, for scripts and for people. */
export type Answer = {
  readonly json: unknown
  readonly text: string
  /** 1 when something is wrong or missing; 0 otherwise. */
  readonly exitCode?: number
}

/** What an operator did, for the audit trail. */
export type Act = {
  /** The command, without what it was about. */
  readonly what: string
  /** The id of what it was about. */
  readonly resource?: string
}

export type Context = {
  readonly settings: Settings
  readonly store: EventStore
  readonly pool: Pool
  readonly followers: readonly Follower[]
  /** Who uses the tool, as the audit trail and wishes name them. */
  readonly who: string
  /** Writes down what was done. Says so where that was not possible. */
  readonly writeDown: (act: Act) => Promise<void>
  readonly isJson: boolean
  /** A line of an answer that has no end. */
  readonly out: (line: string) => void
  /** A line for whoever looks on, beside the answer. */
  readonly note: (line: string) => void
  readonly progress: ProgressLine
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  readonly logger: Logger
}

export type Command = {
  readonly name: readonly [string, ...string[]]
  readonly summary: string
  /** `<name>` for one that is needed, `[name]` for one that is not. */
  readonly positionals?: readonly string[]
  readonly options?: Readonly<Record<string, Option>>
  /** What else its help says. */
  readonly more?: string
  /** Undefined when all has been said. */
  readonly run: (context: Context, given: Given) => Promise<Answer | undefined>
}
