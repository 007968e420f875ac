// What a projection needs of the store that keeps its rows; sqlite.ts and postgres.ts provide it.
import type { Position } from '@headwater/eventstore/position'
import type { Wishes } from '../operate/wishes.ts'
import type { Change } from './changes.ts'
import type { DeadLetter, ParkedEvent, Parking } from './parked.ts'
import type { Keys, StoredRows } from './rows.ts'

/** How far a read model is, and whose turn it is to write it. */
export type Checkpoint = {
  /** Everything up to here is in the rows. */
  readonly position: Position
  /** The last event of the projection's categories that is in the rows. Read back at start, to notice another history. */
  readonly lastEvent: { readonly id: string; readonly position: Position } | undefined
  /** The event store whose events these are. */
  readonly storeId: string
  /** Names the building of these rows when it was not the first: one by one they may differ from those of another. */
  readonly build: string
  /** Rises with every claim: only the last claimant can write. */
  readonly epoch: bigint
  /** Events that could be neither projected nor parked, the oldest first. */
  readonly deadLetters: readonly DeadLetter[]
  /** Number of events in which U+FFFD replaced text that databases refuse. */
  readonly replacedTexts: number
}

/** Rows that are needed because streams are deleted. */
export type Deletion = {
  /** Of each table the rows that have one of these values in a column. */
  readonly owned: readonly { readonly table: string; readonly column: string; readonly values: ReadonlySet<string> }[]
  /** The rows that count those. */
  readonly counting: (stored: StoredRows) => Keys
}

/** One step of a read model: from the checkpoint that the writer believes in to the next. */
export type Step = {
  readonly from: Checkpoint
  readonly to: Checkpoint
  readonly keys: Keys
  /** Of a step in which streams are deleted. */
  readonly deletion?: Deletion | undefined
  /** Pure; called with the stored rows of `keys` and `deletion`. What it throws ends the step without a trace. */
  readonly evolve: (stored: StoredRows) => readonly Change[]
  /** Not every step has one. The change feed tells of such a step only that a new picture is needed. */
  readonly parking?: Omit<Parking, 'deadLetter'> | undefined
}

export type Sink = {
  /**
   * Makes what is missing and claims the right to write; a new read model begins before the first event.
   * Undefined while another writer holds a claim that has not run out.
   */
  readonly claim: (storeId: string) => Promise<Checkpoint | undefined>
  /** The checkpoint as it is stored. */
  readonly checkpoint: () => Promise<Checkpoint>
  /** The events that could not be projected, in no order; without dead letters. */
  readonly parked: () => Promise<readonly ParkedEvent[]>
  /**
   * Rows, change feed and checkpoint in one transaction that first moves the checkpoint from `from` to `to`.
   * 'superseded': the stored checkpoint is not `from` (with its dead letters), or an event to be removed from the list of parked ones is not on
   * it; nothing was written.
   */
  readonly commit: (step: Step) => Promise<'committed' | 'superseded'>
  /** Lets the readers of the rows ask how far these have to be to be current. */
  readonly tellNeeded?: (needed: () => Promise<Position>) => void
  /**
   * 'refused' when the store cannot hold what an event led to, 'unavailable' when the store itself is in trouble that
   * passes, 'broken' when what it holds cannot be used any more, undefined when the error is not the store's.
   */
  readonly blame: (error: unknown) => 'refused' | 'unavailable' | 'broken' | undefined
  /** What operators wish of the writer; none of a copy in the making. */
  readonly wishes?: Wishes | undefined
  readonly scratch?: Scratch | undefined
  /** True when a claim runs out by itself; otherwise a claim ends only when another writer claims. */
  readonly claimsExpire: boolean
  /** Advice for the operator when the history differs from the store's, as a sentence. */
  readonly rebuildAdvice: string
  /** Gives the claim back, so that whoever comes next need not wait for it to run out; it can be claimed again. */
  readonly release: () => Promise<void>
  /** Releases it for good. */
  readonly close: () => Promise<void>
}

/** Where a read model is built again beside the one that serves. */
export type Scratch = {
  /** Goes on with what is there. Rows that it makes can be told from those of the one that serves. */
  readonly open: () => Sink
  /**
   * Puts it, released, in the place of the one that serves, at once for every reader. Whoever has a claim on what serves
   * keeps others out meanwhile, and has to claim anew.
   */
  readonly swap: () => Promise<void>
  readonly drop: () => Promise<void>
}
