// One number that matters, and how durations are told.

export const StatCard = ({ label, value }: { label: string; value: string }) => (
  <div>
    <dt>{label}</dt>
    <dd>{value}</dd>
  </div>
)

const units = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const

/** In the largest unit that fits: `4 min`, `1.5 h`. */
export const durationText = (ms: number | null): string => {
  if (ms === null) return 'none yet'
  const { name, ms: size } = units.find((unit) => ms >= unit.ms) ?? units[3]
  return `${Number((ms / size).toPrecision(2))} ${name}`
}
