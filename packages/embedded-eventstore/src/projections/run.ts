// One run of a projection: reads $all after its checkpoint and writes links and the next checkpoint in one transaction.
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Store } from '../store/store.ts'
import { isTrouble, type Outcome, type Write } from '../store/writer.ts'
import { createSignal } from '../streams/subscription.ts'
import { messageOf } from '../wire/errors.ts'
import type { Rule, SystemProjection } from './catalogue.ts'
import { createEmitter, projectRow } from './emit.ts'
import { checkpointWrites, type Settings } from './records.ts'

/** Small, so that concurrent appends wait little longer. */
const pageEventsMax = 100
/** Limit of events without links that are read again after a restart. */
const eventsBetweenCheckpointsMax = 10_000
/** Between two pages, so that events arriving meanwhile share one page and its checkpoint. */
const pauseMs = 20
/** No pause when it is further behind than this. */
const behindEventsMax = 1_000
const retryDelayMs = 500

const idle = { writes: 0, events: 0 }

/**
 * @property position all events up to here are handled
 * @property checkpoint the last written one
 * @property reason why it makes no progress; empty when it does
 * @property inFlight writes and events in progress
 */
export type Progress = {
  position: number
  checkpoint: number
  eventsProcessed: number
  processingMs: number
  reason: string
  inFlight: { writes: number; events: number }
}

export type Run = ReturnType<typeof startRun>

export const startRun = (
  store: Store,
  projection: SystemProjection,
  settings: Settings,
  from: Pick<Progress, 'position' | 'checkpoint'>,
  onFault: () => void,
) => {
  const emit = createEmitter(store, projection, settings)
  const signal = createSignal()
  const progress: Progress = { ...from, eventsProcessed: 0, processingMs: 0, reason: '', inFlight: idle }
  let stopping = false

  const tryToWrite = (writes: Write[]): Promise<Outcome[]> =>
    new Promise((resolve) => store.writeTogether(writes, resolve))

  // A page is written as a whole or not at all, except for links into tombstoned streams, which could not be read. The
  // checkpoint is the last write and must succeed.
  const writePage = async (writes: Write[]): Promise<boolean> => {
    while (!stopping) {
      const checkpoint = (await tryToWrite(writes)).at(-1)
      progress.reason = ''
      if (checkpoint?.kind === 'success') return true
      if (!checkpoint || !isTrouble(checkpoint.kind))
        throw new Error(`Its checkpoint cannot be written: ${checkpoint?.kind}.`)
      progress.reason = checkpoint.kind === 'failed' ? checkpoint.reason : messageOf({ kind: 'busy' })
      await setTimeout(retryDelayMs)
    }
    return false
  }

  const projectPage = async (rule: Rule): Promise<void> => {
    const startedAtMs = performance.now()
    const rows = store.pages.all(progress.position + 1, 'forwards', pageEventsMax)
    const projected = rows.flatMap((row) => projectRow(store, rule, row) ?? [])
    const position = rows.at(-1)?.[0] ?? progress.position
    // Its own writes wake it and are read. They must lead neither to links nor to a checkpoint, or it would never rest.
    const due = projected.length > 0 || position - progress.checkpoint >= eventsBetweenCheckpointsMax
    const writes = due ? [...emit(projected), ...checkpointWrites(store, projection, settings, position)] : []
    progress.processingMs += performance.now() - startedAtMs
    if (due) {
      progress.inFlight = { writes: writes.length, events: projected.length }
      const written = await writePage(writes)
      progress.inFlight = idle
      if (!written) return
      progress.checkpoint = position
    }
    progress.position = position
    progress.eventsProcessed += rows.length
  }

  const follow = async (): Promise<void> => {
    const unwatch = store.watchAll(signal.raise)
    try {
      const rule = projection.rule(settings.source)
      while (!stopping) {
        signal.lower()
        if (store.head() <= progress.position) {
          await signal.wait()
          continue
        }
        await projectPage(rule)
        await (store.head() - progress.position > behindEventsMax ? setImmediate() : setTimeout(pauseMs))
      }
    } catch (error) {
      progress.inFlight = idle
      progress.reason = error instanceof Error ? error.message : String(error)
      onFault()
    } finally {
      unwatch()
    }
  }
  const ended = follow()

  return {
    progress: (): Readonly<Progress> => progress,
    /** Resolves when the write in progress has ended. */
    stop: (): Promise<void> => {
      stopping = true
      signal.raise()
      return ended
    },
  }
}
