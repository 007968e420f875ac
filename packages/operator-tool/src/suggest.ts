// The known word that somebody may have meant.

/** So many letters may be wrong, missing or too many. */
const distanceMax = 3

/** Levenshtein's distance. */
const distance = (a: string, b: string): number => {
  let before = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (const [n, letter] of [...a].entries()) {
    const row = [n + 1]
    for (const [m, other] of [...b].entries())
      row.push(Math.min((before[m + 1] ?? 0) + 1, (row[m] ?? 0) + 1, (before[m] ?? 0) + (letter === other ? 0 : 1)))
    before = row
  }
  return before.at(-1) ?? 0
}

export const closest = (word: string, known: readonly string[]): string | undefined => {
  const [best] = known
    .map((one) => ({ one, far: one.startsWith(word) ? 0 : distance(word, one) }))
    .sort((a, b) => a.far - b.far)
  return best && best.far <= Math.min(distanceMax, word.length - 1) ? best.one : undefined
}

/** As a sentence to put behind "unknown". */
export const didYouMean = (word: string, known: readonly string[]): string => {
  const meant = closest(word, known)
  return meant === undefined ? '' : ` Did you mean ${meant}?`
}
