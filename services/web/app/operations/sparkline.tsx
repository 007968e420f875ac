// The lag of the last minutes as a small line: no script, no style attribute; a word says the same.
import { durationText } from '../loan/underwriting/numbers/stat-card.tsx'

const width = 120
const height = 28
/** Below this the line stays at its foot: a read model that breathes is no mountain. */
const scaleMsMin = 1_000
const samplesMax = 150

/** A line through what is known; gaps stay gaps. */
const lineOf = (values: readonly (number | null)[], highest: number): string => {
  const step = width / (samplesMax - 1)
  const first = samplesMax - values.length
  return values
    .map((value, n) => {
      if (value === null) return ''
      const isNew = n === 0 || values[n - 1] === null
      const x = ((first + n) * step).toFixed(1)
      const y = (height - 2 - (value / highest) * (height - 4)).toFixed(1)
      return `${isNew ? 'M' : 'L'}${x} ${y}`
    })
    .join('')
}

export const Sparkline = ({ name, lagMs }: { name: string; lagMs: readonly (number | null)[] }) => {
  const known = lagMs.filter((value) => value !== null)
  const most = Math.max(0, ...known)
  const label = known.length < 2 ? 'not known yet' : `at most ${durationText(most)}`
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      role="img"
      aria-label={`Lag of ${name} in the last 5 minutes: ${label}`}
    >
      <line x1="0" x2={width} y1={height - 1} y2={height - 1} />
      <path d={lineOf(lagMs, Math.max(most, scaleMsMin))} />
    </svg>
  )
}
