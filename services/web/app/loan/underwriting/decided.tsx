// The loans that are decided or withdrawn: to look up, page by page, and to take along as a file.
import { loanApi } from '@headwater/deciders/loan/api'
import { Link, type RouterContextProvider, redirect } from 'react-router'
import { get, isMissing } from '../../shared/api.server.ts'
import { Status } from '../../shared/status.tsx'
import { Time } from '../../shared/time.tsx'
import { eurosText } from '../loan.ts'
import type { Route } from './+types/decided'
import { ListForm, ListLink } from './list-form.tsx'
import { SortedHeader } from './sorted-header.tsx'
import { Tabs } from './tabs.tsx'
import { type Asked, apiRequest, askedInAddress, askedInForm } from './underwriting.server.ts'

const rowsAPage = '50'

const readDecided = async (context: Readonly<RouterContextProvider>, asked: Asked) => {
  const { query, headers } = apiRequest(asked, { limit: rowsAPage })
  const { decided } = loanApi.queries
  const page = await get(context, `${decided.path}?${query}`, decided.answer, headers)
  return { ...page, filter: asked.filter, search: asked.search, isMissing: isMissing(context) }
}

export const loader = ({ request, context }: Route.LoaderArgs) => readDecided(context, askedInAddress(request))

export const action = async ({ request, context }: Route.ActionArgs) => {
  const asked = await askedInForm(context, request)
  if (asked.search) return readDecided(context, asked)
  return redirect(`/underwriting/decided?${new URLSearchParams(asked.filter)}`, 303)
}

export default function Decided({ loaderData, actionData }: Route.ComponentProps) {
  const { loans, next, filter, search } = actionData ?? loaderData
  const { sort = 'decidedAt', direction = 'desc', outcome = '', from = '', to = '' } = filter
  return (
    <>
      <title>Decided loans · Headwater</title>
      <Tabs />
      <section aria-labelledby="decided">
        <div className="title">
          <h2 id="decided">Decided</h2>
          <form method="post" action="/underwriting/decided.csv">
            {Object.entries({ ...filter, search }).map(([name, value]) => (
              <input key={name} type="hidden" name={name} value={value} />
            ))}
            <button type="submit" className="link">
              Download as CSV
            </button>
          </form>
        </div>
        <ListForm search={search} order={{ sort, direction }}>
          <span className="pair">
            <label htmlFor="outcome">Outcome</label>
            <select key={outcome} id="outcome" name="outcome" defaultValue={outcome}>
              <option value="">Any</option>
              <option value="approved">Approved</option>
              <option value="denied">Declined</option>
              <option value="withdrawn">Withdrawn</option>
            </select>
          </span>
          <span className="pair">
            <label htmlFor="from">From</label>
            <input key={`from ${from}`} id="from" name="from" type="date" defaultValue={from} />
          </span>
          <span className="pair">
            <label htmlFor="to">To</label>
            <input key={`to ${to}`} id="to" name="to" type="date" defaultValue={to} />
          </span>
        </ListForm>
        {loans.length === 0 ? (
          <p className="empty">Nothing decided fits this filter.</p>
        ) : (
          <div className="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Applicant</th>
                  <SortedHeader
                    by="amount"
                    label="Amount"
                    order={{ sort, direction }}
                    search={search}
                    className="number"
                  />
                  <th scope="col">Outcome</th>
                  <th scope="col" className="wide">
                    By
                  </th>
                  <SortedHeader
                    by="decidedAt"
                    label="When"
                    order={{ sort, direction }}
                    search={search}
                    className="wide"
                  />
                </tr>
              </thead>
              <tbody>
                {loans.map(({ loanId, name, amount, status, decidedBy, decidedByName, decidedAt }) => (
                  <tr key={loanId}>
                    <th scope="row">
                      <Link to={`/underwriting/loans/${loanId}`}>{name}</Link>
                    </th>
                    <td className="number">{eurosText(amount)}</td>
                    <td>
                      <Status status={status} />
                    </td>
                    <td className="wide">
                      {decidedByName ?? decidedBy ?? (status === 'withdrawn' ? 'the applicant' : 'the score')}
                    </td>
                    <td className="wide">{decidedAt && <Time at={decidedAt} />}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {next !== null && (
          <p>
            <ListLink name="cursor" value={next} address={{ cursor: next }} search={search}>
              Next {rowsAPage}
            </ListLink>
          </p>
        )}
      </section>
    </>
  )
}
