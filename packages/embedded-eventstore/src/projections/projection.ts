// One system projection: its state, its configuration and its progress; requests are handled one at a time.

import type { Store } from '../store/store.ts'
import type { Outcome } from '../store/writer.ts'
import { Refused } from '../wire/errors.ts'
import type { SystemProjection } from './catalogue.ts'
import { checkpointWrites, readCheckpoint, readSettings, type Settings, settingsWrite } from './records.ts'
import { type Run, startRun } from './run.ts'

type Status = 'Running' | 'Stopped' | 'Aborted/Stopped' | 'Faulted'

const throwUnlessWritten = (outcome: Outcome | undefined): void => {
  if (outcome === undefined || outcome.kind === 'success') return
  const refusal =
    outcome.kind === 'wrong expected revision' ? { kind: 'failed' as const, reason: outcome.kind } : outcome
  throw new Refused(refusal)
}

export type Projection = ReturnType<typeof openProjection>

export const openProjection = (store: Store, definition: SystemProjection) => {
  let settings = readSettings(store, definition)
  let status: Status = 'Stopped'
  let run: Run | undefined
  let closed = false
  const checkpoint = readCheckpoint(store, definition)
  let progress: ReturnType<Run['progress']> = {
    position: checkpoint,
    checkpoint,
    eventsProcessed: 0,
    processingMs: 0,
    reason: '',
    inFlight: { writes: 0, events: 0 },
  }

  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (act: () => Promise<void>): Promise<void> => {
    const done = last.then(act)
    last = done.catch(() => {})
    return done
  }

  const begin = (): void => {
    if (status === 'Running' || closed || !settings.enabled) return
    status = 'Running'
    run = startRun(store, definition, settings, progress, () => {
      status = 'Faulted'
    })
    progress = run.progress()
  }

  /** @returns true when it was running */
  const halt = async (): Promise<boolean> => {
    await run?.stop()
    const wasRunning = status === 'Running'
    status = 'Stopped'
    return wasRunning
  }

  /** @param position of a checkpoint to write with the settings */
  const save = async (change: Partial<Settings>, position?: number): Promise<void> => {
    const changed = { ...settings, version: settings.version + 1, ...change }
    const writes = [settingsWrite(definition, changed)]
    if (position !== undefined) writes.push(...checkpointWrites(store, definition, changed, position))
    const outcomes = await new Promise<Outcome[]>((resolve) => store.writeTogether(writes, resolve))
    throwUnlessWritten(outcomes[0])
    settings = changed
    if (position === undefined) return
    throwUnlessWritten(outcomes.at(-1))
    progress = { ...progress, position, checkpoint: position }
  }

  /** A refused change leaves it running. */
  const changing = (change: (wasRunning: boolean) => Promise<void>): Promise<void> =>
    inTurn(async () => {
      const wasRunning = await halt()
      try {
        await change(wasRunning)
      } finally {
        begin()
      }
    })

  return {
    name: definition.name,
    state: () => ({ ...settings, ...progress, status, head: store.head() }),
    /** Runs it if it was running when the store was last used. */
    resume: (): Promise<void> => inTurn(async () => begin()),
    enable: (): Promise<void> =>
      inTurn(async () => {
        if (!settings.enabled) await save({ enabled: true })
        begin()
      }),
    disable: (): Promise<void> =>
      changing((wasRunning) => {
        const { position, checkpoint } = progress
        return save({ enabled: false }, wasRunning && position > checkpoint ? position : undefined)
      }),
    /** Like `disable`, without a checkpoint. */
    abort: (): Promise<void> =>
      changing(async (wasRunning) => {
        await save({ enabled: false })
        if (wasRunning) status = 'Aborted/Stopped'
      }),
    /** Restarts from the beginning: target streams are truncated first, so that no link is read twice. */
    reset: (): Promise<void> =>
      changing(() => {
        const epoch = settings.version + 1
        return save({ epoch }, 0)
      }),
    /** @throws {InvalidSource} */
    configure: (source: string): Promise<void> =>
      changing(() => {
        definition.rule(source)
        return save({ source })
      }),
    restart: (): Promise<void> => changing(async () => {}),
    /** Ends at once, because a stopping store accepts no more writes. */
    close: async (): Promise<void> => {
      closed = true
      await Promise.all([run?.stop(), last])
    },
  }
}
