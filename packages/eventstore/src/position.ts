// Positions in the store's order of all events ($all): comparison and text form.

/** Commit and prepare position, unsigned 64 bits each. Compare with {@link comparePosition}, never by operators. */
export type Position = { readonly commit: bigint; readonly prepare: bigint }

/** Before every event that Headwater writes. */
export const beginning: Position = { commit: 0n, prepare: 0n }

/** Negative when `a` is before `b`, 0 when they are equal, positive when `a` is after `b`. */
export const comparePosition = (a: Position, b: Position): number => {
  if (a.commit !== b.commit) return a.commit < b.commit ? -1 : 1
  if (a.prepare !== b.prepare) return a.prepare < b.prepare ? -1 : 1
  return 0
}

/** The later of two positions. */
export const laterPosition = (a: Position, b: Position): Position => (comparePosition(a, b) < 0 ? b : a)

/** `<commit>/<prepare>` in decimal digits, the only form in which positions leave the process. */
export const formatPosition = (position: Position): string => `${position.commit}/${position.prepare}`

const unsigned64Max = 0xffff_ffff_ffff_ffffn
const positionText = /^(0|[1-9]\d{0,19})\/(0|[1-9]\d{0,19})$/

/** The position that `text` names, or undefined when it is not one. */
export const parsePosition = (text: string): Position | undefined => {
  const [, commit, prepare] = positionText.exec(text) ?? []
  if (commit === undefined || prepare === undefined) return undefined
  const position = { commit: BigInt(commit), prepare: BigInt(prepare) }
  return position.commit <= unsigned64Max && position.prepare <= unsigned64Max ? position : undefined
}
