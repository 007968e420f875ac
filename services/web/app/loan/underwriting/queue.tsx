// The loans that wait for an underwriter: they come and go by themselves, but never under the pointer.
import { loanApi } from '@headwater/deciders/loan/api'
import type { SeenUnderwritingLoan } from '@headwater/deciders/loan/loan-answers'
import { useCallback, useState } from 'react'
import { type RouterContextProvider, redirect } from 'react-router'
import { Connection } from '../../live/connection.tsx'
import { useFresh } from '../../live/use-fresh.ts'
import { useLiveRows } from '../../live/use-live-rows.ts'
import { get, isMissing } from '../../shared/api.server.ts'
import { useHydrated } from '../../shared/use-hydrated.ts'
import { eurosText } from '../loan.ts'
import type { Route } from './+types/queue'
import { ListForm, ListLink } from './list-form.tsx'
import { durationText, StatCard } from './numbers/stat-card.tsx'
import { QueueTable } from './queue-table.tsx'
import { Shortcuts } from './shortcuts.tsx'
import { Tabs } from './tabs.tsx'
import { type Asked, apiRequest, askedInAddress, askedInForm } from './underwriting.server.ts'
import { useHeldRows } from './use-held-rows.ts'

/** Without scripts; with them, all that a live query shows. */
const rowsAPage = '100'
const liveRowsMax = 1_000
const statisticsPath = '/api/underwriting/statistics?days=1'
const statisticsEveryMs = 10_000

const readQueue = async (context: Readonly<RouterContextProvider>, asked: Asked) => {
  const { query, headers } = apiRequest(asked, { limit: rowsAPage })
  const [queue, numbers] = await Promise.all([
    get(context, `${loanApi.queries.queue.path}?${query}`, loanApi.queries.queue.answer, headers),
    get(context, statisticsPath, loanApi.queries.statistics.answer),
  ])
  const { filter, search } = asked
  return { ...queue, numbers, filter, search, isMissing: isMissing(context), openedAt: new Date().toISOString() }
}

export const loader = ({ request, context }: Route.LoaderArgs) => readQueue(context, askedInAddress(request))

export const action = async ({ request, context }: Route.ActionArgs) => {
  const asked = await askedInForm(context, request)
  if (asked.search) return readQueue(context, asked)
  return redirect(`/underwriting?${new URLSearchParams(asked.filter)}`, 303)
}

const keyOf = (loan: SeenUnderwritingLoan) => loan.loanId

const compareBy = (sort: string, direction: string) => {
  const value = (loan: SeenUnderwritingLoan) =>
    sort === 'amount' ? loan.amount : sort === 'score' ? (loan.score ?? 0) : loan.requestedAt
  const sign = direction === 'desc' ? -1 : 1
  return (a: SeenUnderwritingLoan, b: SeenUnderwritingLoan) => {
    if (value(a) !== value(b)) return value(a) < value(b) ? -sign : sign
    return a.loanId < b.loanId ? -sign : sign
  }
}

export default function Queue({ loaderData, actionData }: Route.ComponentProps) {
  const { loans, next, numbers: loadedNumbers, filter, search, openedAt } = actionData ?? loaderData
  const { sort = 'requestedAt', direction = 'asc', score = '' } = filter
  const scripts = useHydrated()
  const [paused, setPaused] = useState(false)
  const [pointed, setPointed] = useState(false)
  const [focused, setFocused] = useState(false)
  const liveFilter = { sort, direction, ...(score && { score }), ...(search && { search }) }
  const live = useLiveRows({ topic: 'underwriting', filter: liveFilter, keyOf }, loans)
  const { value: numbers } = useFresh(statisticsPath, loadedNumbers, {
    everyMs: statisticsEveryMs,
    changed: live.rows,
  })
  const { rows, arrived, left, release } = useHeldRows(live.rows.toSorted(compareBy(sort, direction)), {
    keyOf,
    isHeld: paused || pointed || focused,
    query: JSON.stringify(liveFilter),
  })

  const pause = useCallback(() => setPaused((now) => !now), [])
  const show = () => {
    release()
    // The button goes, and what it showed is where one wants to be.
    document.getElementById('queue')?.focus()
  }
  const news = [arrived > 0 && `${arrived} new`, left.size > 0 && `${left.size} gone`].filter(Boolean).join(', ')
  return (
    <>
      <title>Waiting for a decision · Headwater</title>
      <section>
        <Tabs />
        <dl className="cards">
          <StatCard label="Waiting" value={numbers.waiting.count.toLocaleString('en')} />
          <StatCard label="Asked for in all" value={eurosText(numbers.waiting.amount)} />
          <StatCard label="Median time to a decision" value={durationText(numbers.medianMs)} />
        </dl>
      </section>
      <section aria-labelledby="queue">
        <div className="title">
          <h2 id="queue" tabIndex={-1}>
            Waiting for a decision
          </h2>
          <Connection live={live} openedAt={openedAt} />
        </div>
        <div className="toolbar">
          <ListForm search={search} order={{ sort, direction }}>
            <span className="pair">
              <label htmlFor="score">Score</label>
              <select key={score} id="score" name="score" defaultValue={score}>
                <option value="">Any</option>
                <option value="5">5</option>
                <option value="6">6</option>
              </select>
            </span>
          </ListForm>
          {scripts && (
            <p className="actions">
              <button type="button" className="button plain small" aria-pressed={paused} onClick={pause}>
                {paused ? 'Resume' : 'Pause'}
              </button>
              <Shortcuts pause={pause} />
            </p>
          )}
        </div>
        {scripts && (
          <p role="status" className="news">
            {news && (
              <button type="button" className="button small" onClick={show}>
                {news}: show
              </button>
            )}
          </p>
        )}
        {rows.length === 0 ? (
          <p className="empty">
            {search || score
              ? 'Nobody who waits fits this filter.'
              : 'Nobody waits. The next one appears here by itself.'}
          </p>
        ) : (
          <QueueTable
            rows={rows}
            left={left}
            changed={live.changed}
            order={{ sort, direction }}
            search={search}
            onPointed={setPointed}
            onFocused={setFocused}
          />
        )}
        {!scripts && next !== null && (
          <p>
            <ListLink name="cursor" value={next} address={{ cursor: next }} search={search}>
              Next {rowsAPage}
            </ListLink>
          </p>
        )}
        {live.rows.length >= liveRowsMax && (
          <p className="quiet">The first {liveRowsMax.toLocaleString('en')} are shown. Filter to see others.</p>
        )}
      </section>
    </>
  )
}
