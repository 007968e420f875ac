// What the server rendered first, then what the API answers when that has changed; an answer that fails changes nothing.
import { useEffect, useRef, useState } from 'react'
import type { LiveState } from './follow-live.ts'
import { type Asker, keepAsking } from './keep-asking.ts'

export type Fresh<T> = {
  readonly value: T
  readonly state: LiveState
  /** When the API last answered. */
  readonly heardAt: string | undefined
}

type Renewal = {
  readonly everyMs?: number
  /** Another value means that what is shown may have changed. */
  readonly changed?: unknown
}

/** @param loaded what `path` answered when the page was made */
export const useFresh = <T>(path: string, loaded: T, { everyMs, changed }: Renewal): Fresh<T> => {
  const [told, setTold] = useState<{ readonly after: T; readonly value: T; readonly at: string }>()
  const [state, setState] = useState<LiveState>('live')
  const asker = useRef<Asker>(undefined)
  const seen = useRef(changed)

  useEffect(() => {
    const started = keepAsking<T>(path, {
      everyMs,
      onAnswer: (value) => {
        setState('live')
        setTold({ after: loaded, value, at: new Date().toISOString() })
      },
      onFailure: () => setState('reconnecting'),
      onEnd: () => setState('ended'),
    })
    asker.current = started
    return started.stop
  }, [path, everyMs, loaded])

  useEffect(() => {
    if (seen.current !== changed) asker.current?.changed()
    seen.current = changed
  }, [changed])

  // What was loaded after it is newer.
  const newest = told?.after === loaded ? told : undefined
  return { value: newest?.value ?? loaded, heardAt: newest?.at, state }
}
