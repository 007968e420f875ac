// The interface through which a projection writes its rows; SQLite and Postgres implement it.
import type { Position } from '@headwater/eventstore/position'
import type { Wishes } from '../operate/wishes.ts'
import type { RowChange } from './changes.ts'
import type { DeadLetter, ParkedEvent, Parking } from './parked.ts'
import type { Keys, StoredRows } from './rows.ts'

/** The progress of a read model, and the claim of its writer. */
export type Checkpoint = {
  /** Everything up to here is in the rows. */
  readonly position: Position
  /** The last event of the projection's categories in the rows. Read back at start, to detect another history. */
  readonly lastEvent: { readonly id: string; readonly position: Position } | undefined
  /** The event store whose events these are. */
  readonly storeId: string
  /** Identifies the rebuild that made these rows, empty for the first build: the rows of two builds may differ. */
  readonly build: string
  /** Rises with every claim: only the last claimant can write. */
  readonly epoch: bigint
  /** Events that could be neither projected nor parked, oldest first. */
  readonly deadLetters: readonly DeadLetter[]
  /** Number of events in which U+FFFD replaced text that databases refuse. */
  readonly replacedTexts: number
}

/** Rows that a step removes by the value of a column. */
export type Removal = {
  readonly selections: readonly {
    readonly table: string
    readonly column: string
    readonly values: ReadonlySet<string>
  }[]
  /** The rows that count those. */
  readonly counting: (stored: StoredRows) => Keys
  /** Removes the stored rows that it is given: of a step of one event, whose rows may be too many to hold at once. */
  readonly inParts: ((stored: StoredRows) => readonly RowChange[]) | undefined
}

/** One step of a read model: from the checkpoint that the writer expects to the next. */
export type Step = {
  readonly from: Checkpoint
  readonly to: Checkpoint
  readonly keys: Keys
  readonly removal?: Removal | undefined
  /** Pure; called with the stored rows of `keys` and `removal`. An error rolls the step back. */
  readonly evolve: (stored: StoredRows) => readonly RowChange[]
  /** After a step with this, the change feed demands a new snapshot. */
  readonly parking?: Omit<Parking, 'deadLetter'> | undefined
}

export type Sink = {
  /**
   * Creates missing tables and claims the right to write; a new read model begins before the first event.
   * Undefined while another writer holds a claim that has not expired.
   */
  readonly claim: (storeId: string) => Promise<Checkpoint | undefined>
  /** The checkpoint as it is stored. */
  readonly checkpoint: () => Promise<Checkpoint>
  /** The events that could not be projected, in any order; without dead letters. */
  readonly parked: () => Promise<readonly ParkedEvent[]>
  /**
   * Rows, change feed and checkpoint in one transaction that first moves the checkpoint from `from` to `to`.
   * 'superseded': the stored checkpoint is not `from` (with its dead letters), or an event to remove from the list of
   * parked events is not on it; nothing was written.
   */
  readonly commit: (step: Step) => Promise<'committed' | 'superseded'>
  /** Lets readers ask for the position that the rows must reach to be fresh. */
  readonly tellNeeded?: (needed: () => Promise<Position>) => void
  /**
   * 'refused' when the store cannot hold a value, 'unavailable' during an outage of the store, 'broken' when the stored
   * rows are damaged, undefined when the error is not the store's.
   */
  readonly blame: (error: unknown) => 'refused' | 'unavailable' | 'broken' | undefined
  /** Operator requests for the writer; a copy being built has none. */
  readonly wishes?: Wishes | undefined
  readonly scratch?: Scratch | undefined
  /** True when a claim expires by itself; otherwise a claim ends only when another writer claims. */
  readonly claimsExpire: boolean
  /** Advice for the operator when the history differs from the store's, as a sentence. */
  readonly rebuildAdvice: string
  /** Gives the claim back, so that the next writer need not wait for it to expire; it can be claimed again. */
  readonly release: () => Promise<void>
  readonly close: () => Promise<void>
}

/** The place where a read model is rebuilt beside the current version. */
export type Scratch = {
  /** Resumes an unfinished copy. Its `build` differs from that of the current version. */
  readonly open: () => Sink
  /**
   * Replaces the current version by the released copy, atomically for every reader. The caller holds the claim on the
   * current version, which keeps other writers out, and has to claim again afterwards.
   */
  readonly swap: () => Promise<void>
  readonly drop: () => Promise<void>
}
