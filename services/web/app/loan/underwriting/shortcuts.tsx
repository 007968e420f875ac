// Keys for those who decide a hundred loans a day, with a page of help; they can be turned off (WCAG 2.1.4).
import { useEffect, useRef, useState } from 'react'

const setting = 'headwater-shortcuts'

const move = (step: 1 | -1) => {
  const links = [...document.querySelectorAll<HTMLElement>('[data-row]')]
  const at = links.findIndex((link) => link.matches(':focus'))
  links[at === -1 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1)]?.focus()
}

const keys: readonly { readonly key: string; readonly what: string; readonly act?: 'pause' | (() => void) }[] = [
  { key: 'j', what: 'Next loan', act: () => move(1) },
  { key: 'k', what: 'Loan before', act: () => move(-1) },
  { key: 'Enter', what: 'Open the loan' },
  { key: '/', what: 'Search', act: () => document.getElementById('search')?.focus() },
  { key: 'p', what: 'Pause, resume', act: 'pause' },
  { key: '?', what: 'This help' },
]

/** A box that is ticked takes no letters: the one of the help keeps the focus for a moment after the help is gone. */
const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.matches('input:not([type="checkbox"]), select, textarea')

export const Shortcuts = ({ pause }: { pause: () => void }) => {
  const help = useRef<HTMLDialogElement>(null)
  const [on, setOn] = useState(() => localStorage.getItem(setting) !== 'off')

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!on || help.current?.open || isTyping(event.target)) return
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key === '?') help.current?.showModal()
      const act = keys.find(({ key }) => key === event.key)?.act
      if (!act) return
      event.preventDefault()
      if (act === 'pause') pause()
      else act()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [on, pause])

  const turn = (now: boolean) => {
    localStorage.setItem(setting, now ? 'on' : 'off')
    setOn(now)
  }
  return (
    <>
      <button type="button" className="link" onClick={() => help.current?.showModal()}>
        Keyboard
      </button>
      <dialog ref={help} aria-labelledby="help">
        <h2 id="help">Keyboard</h2>
        <dl className="keys">
          {keys.map(({ key, what }) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <label className="check">
          <input type="checkbox" checked={on} onChange={({ currentTarget }) => turn(currentTarget.checked)} /> Single
          keys do these things
        </label>
        <form method="dialog">
          <button type="submit" className="button small">
            Close
          </button>
        </form>
      </dialog>
    </>
  )
}
