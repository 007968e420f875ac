// The loans that wait for an underwriter: they come and go by themselves, but never under the pointer.
import { useCallback, useState } from 'react'
import { data, Form, Link } from 'react-router'
import { Connection } from '../live/connection.tsx'
import { useLiveRows } from '../live/use-live-rows.ts'
import { get } from '../shared/api.server.ts'
import { eurosText } from '../shared/loan.ts'
import { Time } from '../shared/time.tsx'
import { useHydrated } from '../shared/use-hydrated.ts'
import type { Route } from './+types/queue'
import { Shortcuts } from './shortcuts.tsx'
import { SortedHeader } from './sorted-header.tsx'
import { durationText, StatCard } from './stat-card.tsx'
import { Tabs } from './tabs.tsx'
import { listQuery, statistics, type UnderwritingLoan, underwritingPage } from './underwriting.server.ts'
import { useHeldRows } from './use-held-rows.ts'

const rowsShownMax = 100

export const loader = async ({ request, context }: Route.LoaderArgs) => {
  const filter = listQuery(request, ['search', 'score', 'sort', 'direction'])
  const query = new URLSearchParams({ ...filter, limit: String(rowsShownMax) })
  const [queue, numbers] = await Promise.all([
    get(context, `/api/underwriting/queue?${query}`, underwritingPage),
    get(context, '/api/underwriting/statistics?days=1', statistics),
  ])
  return data({ loans: queue.loans, numbers, filter, openedAt: new Date().toISOString() })
}

const keyOf = (loan: UnderwritingLoan) => loan.loanId

const compareBy = (sort: string, direction: string) => {
  const value = (loan: UnderwritingLoan) =>
    sort === 'amount' ? loan.amount : sort === 'score' ? (loan.score ?? 0) : loan.requestedAt
  const sign = direction === 'desc' ? -1 : 1
  return (a: UnderwritingLoan, b: UnderwritingLoan) => {
    if (value(a) !== value(b)) return value(a) < value(b) ? -sign : sign
    return a.loanId < b.loanId ? -sign : sign
  }
}

export default function Queue({ loaderData: { loans, numbers, filter, openedAt } }: Route.ComponentProps) {
  const { sort = 'requestedAt', direction = 'asc', search = '', score = '' } = filter
  const scripts = useHydrated()
  const [paused, setPaused] = useState(false)
  const [pointed, setPointed] = useState(false)
  const live = useLiveRows({ topic: 'underwriting', filter, keyOf }, loans)
  const sorted = live.rows.toSorted(compareBy(sort, direction)).slice(0, rowsShownMax)
  const { rows, arrived, left, release } = useHeldRows(sorted, {
    keyOf,
    isHeld: paused || pointed,
    query: JSON.stringify(filter),
  })

  const pause = useCallback(() => setPaused((now) => !now), [])
  const news = [arrived > 0 && `${arrived} new`, left.size > 0 && `${left.size} gone`].filter(Boolean).join(', ')
  return (
    <>
      <title>Waiting for a decision · Headwater</title>
      <section>
        <Tabs />
        <dl className="cards">
          <StatCard label="Waiting" value={String(search || score ? numbers.waiting.count : live.rows.length)} />
          <StatCard label="Asked for in all" value={eurosText(numbers.waiting.amount)} />
          <StatCard label="Median time to a decision" value={durationText(numbers.medianMs)} />
        </dl>
      </section>
      <section aria-labelledby="queue">
        <div className="title">
          <h2 id="queue">Waiting for a decision</h2>
          <Connection live={live} openedAt={openedAt} />
        </div>
        <div className="toolbar">
          <Form method="get" role="search" className="filter" key={`${search} ${score}`}>
            <label htmlFor="search">Name or reference</label>
            <input id="search" name="search" type="search" defaultValue={search} />
            <label htmlFor="score">Score</label>
            <select id="score" name="score" defaultValue={score}>
              <option value="">Any</option>
              <option value="5">5</option>
              <option value="6">6</option>
            </select>
            <input type="hidden" name="sort" value={sort} />
            <input type="hidden" name="direction" value={direction} />
            <button type="submit" className="button plain small">
              Filter
            </button>
          </Form>
          {scripts && (
            <p className="actions">
              <button type="button" className="button plain small" aria-pressed={paused} onClick={pause}>
                {paused ? 'Resume' : 'Pause'}
              </button>
              <Shortcuts pause={pause} />
            </p>
          )}
        </div>
        <p role="status" className="news">
          {news && (
            <button type="button" className="button small" onClick={release}>
              {news}: show
            </button>
          )}
        </p>
        {rows.length === 0 ? (
          <p className="empty">
            {search || score
              ? 'Nobody who waits fits this filter.'
              : 'Nobody waits. The next one appears here by itself.'}
          </p>
        ) : (
          <div className="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Applicant</th>
                  <SortedHeader by="amount" label="Amount" order={{ sort, direction }} number />
                  <SortedHeader by="score" label="Score" order={{ sort, direction }} number />
                  <SortedHeader by="requestedAt" label="Waiting since" order={{ sort, direction }} />
                </tr>
              </thead>
              <tbody
                onPointerEnter={() => setPointed(true)}
                onPointerLeave={() => setPointed(false)}
                onFocus={() => setPointed(true)}
                onBlur={() => setPointed(false)}
              >
                {rows.map(({ loanId, name, amount, score, requestedAt }) => (
                  <tr
                    key={loanId}
                    className={live.changed.has(loanId) ? 'fresh' : undefined}
                    data-left={left.has(loanId) || undefined}
                  >
                    <th scope="row">
                      <Link to={`/underwriting/loans/${loanId}`} data-row>
                        {name}
                      </Link>
                      {left.has(loanId) && <span className="quiet"> no longer waits</span>}
                    </th>
                    <td className="number">{eurosText(amount)}</td>
                    <td className="number">{score}</td>
                    <td>
                      <Time at={requestedAt} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {live.rows.length > rowsShownMax && (
          <p className="quiet">The first {rowsShownMax} are shown. Filter to see others.</p>
        )}
      </section>
    </>
  )
}
