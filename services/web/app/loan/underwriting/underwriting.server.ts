// How a list is asked for, by an address or by a form, and how the API is asked for it.
import type { RouterContextProvider } from 'react-router'
import { readForm } from '../../shared/api.server.ts'

const listParameters = ['score', 'outcome', 'from', 'to', 'sort', 'direction'] as const

/** What a list is asked for. */
export type Asked = {
  readonly filter: Readonly<Partial<Record<(typeof listParameters)[number], string>>>
  /** Never part of an address: it is a name, mostly. */
  readonly search: string
  readonly cursor: string
}

const asked = (given: URLSearchParams | FormData): Asked => {
  const text = (name: string) => String(given.get(name) ?? '').trim()
  const filter = Object.fromEntries(listParameters.flatMap((name) => (text(name) ? [[name, text(name)]] : [])))
  const [sort, direction] = text('order').split(' ')
  const order = sort && direction ? { sort, direction } : {}
  return { filter: { ...filter, ...order }, search: text('search'), cursor: text('cursor') }
}

/** Without a name to search for, a page's address says all of it. */
export const askedInAddress = ({ url }: Request): Asked => ({ ...asked(new URL(url).searchParams), search: '' })

/** With one, the form says all of it. */
export const askedInForm = async (context: Readonly<RouterContextProvider>, request: Request): Promise<Asked> =>
  asked(await readForm(context, request))

/** The query and the headers with which the API is asked for a list. */
export const apiRequest = ({ filter, search, cursor }: Asked, more: Readonly<Record<string, string>> = {}) => ({
  query: new URLSearchParams({ ...filter, ...(cursor && { cursor }), ...more }),
  headers: search ? { 'headwater-search': encodeURIComponent(search) } : {},
})
