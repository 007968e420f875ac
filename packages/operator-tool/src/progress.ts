// How far long work is: one line that changes on a terminal, now and then a line elsewhere.
const plainEveryMs = 5_000

export type ProgressLine = {
  readonly say: (text: string) => void
  /** What comes next begins on a line of its own. */
  readonly end: () => void
}

const eraseLine = '\r\u001b[2K'

export const progressLine = ({
  write,
  isTerminal,
}: {
  readonly write: (text: string) => void
  readonly isTerminal: boolean
}): ProgressLine => {
  let isOpen = false
  let said: string | undefined
  let saidAt = Number.NEGATIVE_INFINITY
  const sayPlain = (text: string) => {
    if (text === said || performance.now() - saidAt < plainEveryMs) return
    said = text
    saidAt = performance.now()
    write(`${text}\n`)
  }
  return {
    say: (text) => {
      if (!isTerminal) return sayPlain(text)
      isOpen = true
      write(eraseLine + text)
    },
    end: () => {
      if (isOpen) write('\n')
      isOpen = false
    },
  }
}
