// Where to go after signing in: a page of this site and nowhere else.

const lengthMax = 2_000
/** Browsers drop some of these and read others as slashes. */
const misleading = /[\p{Cc}\\]/u
const anyBase = 'http://headwater.invalid'

/** The address on this site that `text` names, or the start page when it names none, or one of signing in itself. */
export const localPath = (text: unknown): string => {
  if (typeof text !== 'string' || text.length > lengthMax || !text.startsWith('/') || misleading.test(text)) return '/'
  const url = URL.parse(text, anyBase)
  if (url?.origin !== anyBase) return '/'
  const path = url.pathname + url.search + url.hash
  // `/.//elsewhere` becomes `//elsewhere`, which browsers take for another host.
  return path.startsWith('//') || path.startsWith('/auth/') ? '/' : path
}
