// The jobs by kind, and what of webhooks and sockets there is.
import type { Operations } from '@headwater/deciders/operations/operations'
import { StatCard } from '../loan/underwriting/numbers/stat-card.tsx'

const text = (number: number | undefined) => number?.toLocaleString('en') ?? 'not known'

export const Numbers = ({ overview: { live, jobs, webhooks } }: { overview: Operations }) => {
  const sum = (of: 'running' | 'due' | 'parked') => jobs?.reduce((total, one) => total + one[of], 0)
  return (
    <dl className="cards three">
      <StatCard label={`Live sockets, of ${text(live.socketsMax)}`} value={text(live.sockets)} />
      <StatCard label={`Live queries, ${live.queriesPerSocketMax} a socket`} value={text(live.queries)} />
      <StatCard
        label="Jobs to be run now"
        value={jobs ? text((sum('running') ?? 0) + (sum('due') ?? 0)) : 'not known'}
      />
      <StatCard label="Jobs that failed for good" value={text(sum('parked'))} />
      <StatCard label="Webhooks on the way" value={text(webhooks?.waiting)} />
      <StatCard label="Webhooks given up" value={text(webhooks?.parked)} />
    </dl>
  )
}

export const Jobs = ({ jobs }: Pick<Operations, 'jobs'>) => {
  if (!jobs) return <p className="empty">Postgres does not tell.</p>
  if (jobs.length === 0) return <p className="empty">No job waits, and none is parked.</p>
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col" className="number">
              Running
            </th>
            <th scope="col" className="number">
              Due
            </th>
            <th scope="col" className="number">
              Later
            </th>
            <th scope="col" className="number">
              Given up
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map(({ kind, running, due, later, parked }) => (
            <tr key={kind}>
              <th scope="row">{kind}</th>
              <td className="number">{running}</td>
              <td className="number">{due}</td>
              <td className="number">{later}</td>
              <td className="number">{parked}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
