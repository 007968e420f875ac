// A cursor: where the next page of a list starts, by instant and ID; opaque text for callers.

export type Cursor = { readonly at: string; readonly id: string }

/** Checked before a made-up cursor reaches a database. */
export const isInstant = (text: unknown): text is string =>
  typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text)
export const isId = (text: unknown): text is string => typeof text === 'string' && /^[\w-]{1,64}$/.test(text)

export const formatCursor = ({ at, id }: Cursor): string => Buffer.from(`${at} ${id}`).toString('base64url')

export const parseCursor = (text: string): Cursor | undefined => {
  const [at, id, rest] = Buffer.from(text, 'base64url').toString().split(' ')
  return isInstant(at) && isId(id) && rest === undefined ? { at, id } : undefined
}
