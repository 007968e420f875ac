// Days (UTC) as queries name them: `2026-11-21`.

/** After all instants of the day, which begin with it and a `T`, and before the next day. */
export const endOfDay = (day: string): string => `${day}U`
