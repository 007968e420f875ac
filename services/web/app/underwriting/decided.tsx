// The loans that are decided or withdrawn: to look up, page by page, and to take along as a file.
import { Form, Link, useSearchParams } from 'react-router'
import { get } from '../shared/api.server.ts'
import { eurosText } from '../shared/loan.ts'
import { Status } from '../shared/status.tsx'
import { Time } from '../shared/time.tsx'
import type { Route } from './+types/decided'
import { SortedHeader } from './sorted-header.tsx'
import { Tabs } from './tabs.tsx'
import { listQuery, underwritingPage } from './underwriting.server.ts'

const rowsAPage = '50'

export const loader = async ({ request, context }: Route.LoaderArgs) => {
  const filter = listQuery(request, ['search', 'outcome', 'from', 'to', 'sort', 'direction'])
  const page = listQuery(request, ['cursor'])
  const query = new URLSearchParams({ ...filter, ...page, limit: rowsAPage })
  return { ...(await get(context, `/api/underwriting/history?${query}`, underwritingPage)), filter }
}

export default function Decided({ loaderData: { loans, next, filter } }: Route.ComponentProps) {
  const { sort = 'decidedAt', direction = 'desc', search = '', outcome = '', from = '', to = '' } = filter
  const [address] = useSearchParams()
  const nextPage = new URLSearchParams(address)
  if (next !== null) nextPage.set('cursor', next)
  return (
    <>
      <title>Decided loans · Headwater</title>
      <Tabs />
      <section aria-labelledby="decided">
        <div className="title">
          <h2 id="decided">Decided</h2>
          <a href={`/api/underwriting/history.csv?${new URLSearchParams(filter)}`} download>
            Download as CSV
          </a>
        </div>
        <Form method="get" role="search" className="filter" key={JSON.stringify(filter)}>
          <label htmlFor="search">Name or reference</label>
          <input id="search" name="search" type="search" defaultValue={search} />
          <label htmlFor="outcome">Outcome</label>
          <select id="outcome" name="outcome" defaultValue={outcome}>
            <option value="">Any</option>
            <option value="approved">Approved</option>
            <option value="denied">Declined</option>
            <option value="withdrawn">Withdrawn</option>
          </select>
          <label htmlFor="from">From</label>
          <input id="from" name="from" type="date" defaultValue={from} />
          <label htmlFor="to">To</label>
          <input id="to" name="to" type="date" defaultValue={to} />
          <button type="submit" className="button plain small">
            Filter
          </button>
        </Form>
        {loans.length === 0 ? (
          <p className="empty">Nothing decided fits this filter.</p>
        ) : (
          <div className="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Applicant</th>
                  <SortedHeader by="amount" label="Amount" order={{ sort, direction }} number />
                  <th scope="col">Outcome</th>
                  <th scope="col" className="wide">
                    By
                  </th>
                  <SortedHeader by="decidedAt" label="When" order={{ sort, direction }} />
                </tr>
              </thead>
              <tbody>
                {loans.map(({ loanId, name, amount, status, decidedBy, decidedAt }) => (
                  <tr key={loanId}>
                    <th scope="row">
                      <Link to={`/underwriting/loans/${loanId}`}>{name}</Link>
                    </th>
                    <td className="number">{eurosText(amount)}</td>
                    <td>
                      <Status status={status} />
                    </td>
                    <td className="wide">{decidedBy ?? (status === 'withdrawn' ? 'the applicant' : 'the score')}</td>
                    <td>{decidedAt && <Time at={decidedAt} />}</td>
                  </tr>
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
    </>
  )
}
