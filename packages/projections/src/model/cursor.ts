// Where a page of a list begins, in the order of an instant and an id, as callers see it: opaque text.

export type Cursor = { readonly at: string; readonly id: string }

/** Whatever else a caller made up never reaches a database. */
export const isInstant = (text: unknown): text is string =>
  typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text)
export const isId = (text: unknown): text is string => typeof text === 'string' && /^[\w-]{1,64}$/.test(text)

export const formatCursor = ({ at, id }: Cursor): string => Buffer.from(`${at} ${id}`).toString('base64url')

export const parseCursor = (text: string): Cursor | undefined => {
  const [at, id, rest] = Buffer.from(text, 'base64url').toString().split(' ')
  return isInstant(at) && isId(id) && rest === undefined ? { at, id } : undefined
}
