// What is written down of looking: at somebody else's loan, and at lists. Routes say in their `config` what they show.
import { auditedActor, auditedFilter } from '@headwater/deciders/audit/audit-events'
import type { Audit } from '@headwater/eventstore/audit'
import type { Allowed } from '@headwater/http-kit/access/access'
import type { HttpServer } from '@headwater/http-kit/server/server'

/** What a route shows: the loan that its `:id` names, or a list. */
type Look = { readonly loan: 'detail' | 'history' } | { readonly list: string }

declare module 'fastify' {
  interface FastifyContextConfig {
    look?: Look
  }
}

/** Of a query that which pages through a list, and waits for it, but does not choose what is in it. */
const pagingParameters = ['cursor', 'limit', 'after', 'sort', 'direction']

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const filterOf = (query: unknown): Readonly<Record<string, unknown>> =>
  isObject(query) ? Object.fromEntries(Object.entries(query).filter(([name]) => !pagingParameters.includes(name))) : {}

/** Names are looked for in a header, so that they are in no address. */
const searchHeader = 'headwater-search'

export type Looks = {
  /** Somebody is shown a list. The same again and again is written down now and then. */
  readonly listFollowed: (allowed: readonly Allowed[], traceparent: string, list: string, filter: unknown) => void
}

/** Who is shown what is not theirs. Whoever is allowed as an owner only sees their own, which is nobody's business. */
const viewerOf = (allowed: readonly Allowed[]) => {
  const viewer = allowed.find(({ permission }) => permission === 'yes')
  return viewer && auditedActor(viewer.actor)
}

const looksIn = (audit: Audit): Looks => ({
  listFollowed: (allowed, traceparent, list, filter) => {
    const actor = viewerOf(allowed)
    if (!actor) return
    const data = { actor, at: new Date().toISOString(), list, filter: auditedFilter(filterOf(filter)) }
    audit.noteOnce({ type: 'ListFollowed', data }, { traceparent })
  },
})

export const registerLooks = (server: HttpServer, audit: Audit): Looks => {
  const looks = looksIn(audit)
  server.addHook('onResponse', async (request, reply) => {
    const { routeOptions, allowed, params, query, headers, id: traceparent } = request
    const { look } = routeOptions.config
    if (!look || reply.statusCode >= 300) return
    if ('list' in look) {
      const filter = { ...filterOf(query), ...(headers[searchHeader] && { search: headers[searchHeader] }) }
      return looks.listFollowed(allowed, traceparent, look.list, filter)
    }
    const actor = viewerOf(allowed)
    if (!actor || !isObject(params)) return
    const data = { actor, at: new Date().toISOString(), loanId: String(params.id), part: look.loan }
    audit.note({ type: 'LoanViewed', data }, { traceparent })
  })
  return looks
}
