// Asks the API again for what a page shows: when told that it changed, or every so often; one question at a time, never in a hurry.

const gapMs = 1_000
const retryMs = 3_000
const answerTimeoutMs = 10_000
/** Not signed in, and not somebody who may see it. */
const refusals: readonly number[] = [401, 403]

type Asking<T> = {
  /** Without it, only what changed is asked for again. */
  readonly everyMs?: number | undefined
  readonly onAnswer: (answer: T) => void
  /** There was no answer; it is asked again. */
  readonly onFailure: () => void
  /** Whoever asks is not, or not any more, somebody who may know: nothing is asked again. */
  readonly onEnd: () => void
}

export type Asker = { readonly changed: () => void; readonly stop: () => void }

/** `path` has just been answered. */
export const keepAsking = <T>(path: string, { everyMs, onAnswer, onFailure, onEnd }: Asking<T>): Asker => {
  const stopped = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let askedAt = Date.now()
  let state: 'idle' | 'asking' | 'asking, changed meanwhile' = 'idle'

  const plan = (delayMs: number) => {
    clearTimeout(timer)
    timer = setTimeout(ask, delayMs)
  }

  const answerOf = async (): Promise<{ answer: T } | 'refused' | undefined> => {
    try {
      const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(answerTimeoutMs)])
      const response = await fetch(path, { signal })
      if (refusals.includes(response.status)) return 'refused'
      return response.ok ? { answer: await response.json() } : undefined
    } catch {
      return undefined // offline, or nobody is there
    }
  }

  const ask = async () => {
    // A page that nobody looks at asks when somebody does.
    if (document.visibilityState === 'hidden') return
    state = 'asking'
    askedAt = Date.now()
    const answered = await answerOf()
    if (stopped.signal.aborted) return
    if (answered === 'refused') {
      stop()
      return onEnd()
    }
    const isOld = state !== 'asking'
    state = 'idle'
    if (answered) onAnswer(answered.answer)
    else onFailure()
    if (!answered) plan(retryMs)
    else if (isOld) plan(gapMs)
    else if (everyMs !== undefined) plan(everyMs)
  }

  const changed = () => {
    if (state === 'idle') plan(Math.max(0, askedAt + gapMs - Date.now()))
    else state = 'asking, changed meanwhile'
  }

  const stop = () => {
    removeEventListener('online', changed)
    document.removeEventListener('visibilitychange', changed)
    clearTimeout(timer)
    stopped.abort()
  }
  addEventListener('online', changed)
  document.addEventListener('visibilitychange', changed)
  if (everyMs !== undefined) plan(everyMs)
  return {
    changed: () => {
      if (!stopped.signal.aborted) changed()
    },
    stop,
  }
}
