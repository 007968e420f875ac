// The audit trail for auditors: who did what to which thing, was refused it, or looked at it; every fact is a way to more.
import { type AuditEntry, auditApi } from '@headwater/deciders/audit/api'
import { Form, Link, useSearchParams } from 'react-router'
import { get } from '../shared/api.server.ts'
import { Time } from '../shared/time.tsx'
import type { Route } from './+types/audit'

const rowsAPage = '50'
const filters = ['actor', 'action', 'outcome', 'resource', 'correlationId', 'from', 'to'] as const
type Filter = (typeof filters)[number]

const listQuery = ({ url }: Request, names: readonly string[]): Record<string, string> => {
  const given = new URL(url).searchParams
  return Object.fromEntries(names.flatMap((name) => (given.get(name) ? [[name, String(given.get(name))]] : [])))
}

export const loader = async ({ request, context }: Route.LoaderArgs) => {
  const { audit } = auditApi.queries
  const filter = listQuery(request, filters)
  const query = new URLSearchParams({ ...filter, ...listQuery(request, ['cursor']), limit: rowsAPage })
  return { ...(await get(context, `${audit.path}?${query}`, audit.answer)), filter }
}

/** All entries that have this in common. */
const Alike = ({ by, value, children }: { by: Filter; value: string; children: string }) => (
  <Link to={`?${new URLSearchParams({ [by]: value })}`} title={value}>
    {children}
  </Link>
)

/** `search` says only that something was searched for. */
const detailsText = (details: NonNullable<AuditEntry['details']>): string =>
  Object.entries(details)
    .map(([name, value]) => (value === true ? name : `${name}: ${value}`))
    .join(', ')

const idLengthShown = 8
const short = (id: string): string => (id.length > idLengthShown ? `${id.slice(0, idLengthShown)}…` : id)

const Row = ({ entry }: { entry: AuditEntry }) => {
  const { at, actor, actorName, action, resource, outcome, code, correlationId, details } = entry
  return (
    <tr>
      <td>
        <Time at={at} />
      </td>
      <th scope="row">
        <Alike by="actor" value={actor}>
          {actorName ?? actor}
        </Alike>
      </th>
      <td>
        <Alike by="action" value={action}>
          {action}
        </Alike>
        {details && <span className="quiet"> {detailsText(details)}</span>}
      </td>
      <td>
        {outcome}
        {code && <span className="quiet"> {code}</span>}
      </td>
      <td>
        {resource && (
          <Alike by="resource" value={resource}>
            {short(resource)}
          </Alike>
        )}
      </td>
      <td className="wide">
        {correlationId && (
          <Alike by="correlationId" value={correlationId}>
            {short(correlationId)}
          </Alike>
        )}
      </td>
    </tr>
  )
}

const Search = ({ filter }: { filter: Readonly<Partial<Record<string, string>>> }) => (
  <Form method="get" role="search" className="filter" key={JSON.stringify(filter)}>
    <span className="pair">
      <label htmlFor="actor">Who</label>
      <input id="actor" name="actor" defaultValue={filter.actor} />
    </span>
    <span className="pair">
      <label htmlFor="action">What</label>
      <input id="action" name="action" defaultValue={filter.action} />
    </span>
    <span className="pair">
      <label htmlFor="outcome">Outcome</label>
      <select id="outcome" name="outcome" defaultValue={filter.outcome}>
        <option value="">Any</option>
        <option value="accepted">Accepted</option>
        <option value="refused">Refused</option>
        <option value="viewed">Viewed</option>
      </select>
    </span>
    <span className="pair">
      <label htmlFor="resource">Id</label>
      <input id="resource" name="resource" defaultValue={filter.resource} />
    </span>
    <span className="pair">
      <label htmlFor="from">From</label>
      <input id="from" name="from" type="date" defaultValue={filter.from} />
    </span>
    <span className="pair">
      <label htmlFor="to">To</label>
      <input id="to" name="to" type="date" defaultValue={filter.to} />
    </span>
    {filter.correlationId && <input type="hidden" name="correlationId" value={filter.correlationId} />}
    <button type="submit" className="button plain small">
      Search
    </button>
    {Object.keys(filter).length > 0 && <Link to="/audit">Show all</Link>}
  </Form>
)

export default function AuditPage({ loaderData: { entries, next, filter } }: Route.ComponentProps) {
  const [address] = useSearchParams()
  const nextPage = new URLSearchParams(address)
  if (next !== null) nextPage.set('cursor', next)
  return (
    <section aria-labelledby="trail">
      <title>Audit trail · Headwater</title>
      <h1 id="trail">Audit trail</h1>
      <p className="quiet">What was done, refused and looked at, the newest first. Applicants are not named here.</p>
      <Search filter={filter} />
      {entries.length === 0 ? (
        <p className="empty">Nothing that was written down fits this search.</p>
      ) : (
        <div className="scroll">
          <table className="trail">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">Outcome</th>
                <th scope="col">Id</th>
                <th scope="col" className="wide">
                  Request
                </th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Row key={entry.eventId} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next !== null && (
        <p>
          <Link to={`?${nextPage}`}>Next {rowsAPage}</Link>
        </p>
      )}
    </section>
  )
}
