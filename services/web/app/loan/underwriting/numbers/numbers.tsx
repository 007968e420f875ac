// How deciding goes, in charts that are drawn on the server and read as tables by those who do not see them.
import { loanApi } from '@headwater/deciders/loan/api'
import { Connection } from '../../../live/connection.tsx'
import { useFresh } from '../../../live/use-fresh.ts'
import { get, isMissing } from '../../../shared/api.server.ts'
import { statusText } from '../../loan.ts'
import { Tabs } from '../tabs.tsx'
import type { Route } from './+types/numbers'
import { BarChart } from './bar-chart.tsx'
import { durationText } from './stat-card.tsx'

const daysShown = 14
const dayMs = 86_400_000
const renewEveryMs = 5_000
const path = `/api/underwriting/statistics?days=${daysShown}`

export const loader = async ({ context }: Route.LoaderArgs) => ({
  loaded: await get(context, path, loanApi.queries.statistics.answer),
  isMissing: isMissing(context),
  openedAt: new Date().toISOString(),
})

const outcomes = ['approved', 'denied', 'withdrawn'] as const

export default function Numbers({ loaderData: { loaded, openedAt } }: Route.ComponentProps) {
  const numbers = useFresh(path, loaded, { everyMs: renewEveryMs })
  const { byDay, scores, decisionTimes, medianMs } = numbers.value
  const today = (numbers.heardAt ?? openedAt).slice(0, 10)
  const days = Array.from({ length: daysShown }, (_, place) =>
    new Date(Date.parse(today) - (daysShown - 1 - place) * dayMs).toISOString().slice(0, 10),
  )
  const countOf = (day: string, outcome: string) =>
    byDay.find((each) => each.day === day && each.outcome === outcome)?.count ?? 0
  return (
    <>
      <title>Numbers · Headwater</title>
      <section>
        <Tabs />
        <Connection live={numbers} openedAt={openedAt} />
      </section>
      <div className="charts">
        <BarChart
          title="Outcomes by day"
          what="Day"
          series={outcomes.map((outcome) => ({ name: outcome, label: statusText[outcome] }))}
          bars={days.map((day) => ({ label: day.slice(5), values: outcomes.map((outcome) => countOf(day, outcome)) }))}
        />
        <BarChart
          title="Scores"
          what="Score"
          series={[{ name: 'count', label: 'Applicants' }]}
          bars={scores.map(({ score, count }) => ({ label: String(score), values: [count] }))}
        />
        <BarChart
          title={`Time to a decision${medianMs === null ? '' : `, half within ${durationText(medianMs)}`}`}
          what="Up to"
          series={[{ name: 'count', label: 'Decisions' }]}
          bars={decisionTimes.map(({ bucketMs, count }) => ({
            label: bucketMs === null ? 'more' : durationText(bucketMs),
            values: [count],
          }))}
        />
      </div>
    </>
  )
}
