// Days (UTC) as queries name them: `2026-11-21`.

const dayMs = 86_400_000

export const dayAfter = (day: string): string => new Date(Date.parse(day) + dayMs).toISOString().slice(0, day.length)
