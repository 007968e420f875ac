// Takes the focus when what had it is gone: whoever works by keyboard goes on from there, not from the top.
import { type RefObject, useEffect, useRef } from 'react'

/** @param change another value means that something focused may have gone */
export const useKeptFocus = (target: RefObject<HTMLElement | null>, change: unknown): void => {
  const seen = useRef(change)
  useEffect(() => {
    if (seen.current !== change && document.activeElement === document.body) target.current?.focus()
    seen.current = change
  }, [target, change])
}
