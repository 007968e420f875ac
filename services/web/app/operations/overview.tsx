// The operators' page: what follows the event store and how far it is, what is parked, and what can be done about it.
import { useRef } from 'react'
import { useSearchParams } from 'react-router'
import { Connection } from '../live/connection.tsx'
import { useFresh } from '../live/use-fresh.ts'
import { useKeptFocus } from '../shared/use-kept-focus.ts'
import type { Route } from './+types/overview'
import { AtAGlance } from './at-a-glance.tsx'
import { Followers, Rebuilds } from './followers.tsx'
import { Jobs, Numbers } from './jobs.tsx'
import { act, readOperations } from './operations.server.ts'
import { ParkedThings } from './parked.tsx'
import { operationsPath, parkedPath } from './paths.ts'
import { Tabs } from './tabs.tsx'
import { Topology } from './topology.tsx'

const renewEveryMs = 2_000

export const loader = ({ context }: Route.LoaderArgs) => readOperations(context)

export const action = ({ request, context }: Route.ActionArgs) => act(context, request)

const doneText = new Map<string, (of: string) => string>([
  ['pause', (of) => `${of} is paused. It won’t process events until you resume it.`],
  ['resume', (of) => `${of} goes on where it was paused.`],
  ['rebuild', (of) => `${of} is built again, beside the one that serves.`],
  ['stop-rebuild', (of) => `The rebuild of ${of} was stopped. What served goes on serving.`],
  ['retry', (of) => `The event is tried again in ${of}.`],
  ['skip', (of) => `${of} goes on without the event.`],
  ['run-again', () => 'The job is run again.'],
  ['skip-job', () => 'The job is skipped: what it was for is not done.'],
])

const Done = () => {
  const [search] = useSearchParams()
  const text = doneText.get(search.get('done') ?? '')?.(search.get('of') ?? '')
  return (
    <div role="status">
      {text && (
        <div className="summary good">
          <p>{text}</p>
        </div>
      )}
    </div>
  )
}

export default function Overview({ loaderData, actionData }: Route.ComponentProps) {
  const { openedAt } = loaderData
  const live = useFresh(operationsPath, loaderData.overview, { everyMs: renewEveryMs })
  const overview = live.value
  const parked = useFresh(parkedPath, loaderData.parked, { everyMs: renewEveryMs }).value
  const heading = useRef<HTMLHeadingElement>(null)
  useKeptFocus(heading, JSON.stringify(parked.parked.map(({ id }) => id)))
  const isRebuilding = overview.followers.some(({ rebuild }) => rebuild)
  return (
    <>
      <title>Operations · Headwater</title>
      <section>
        <Tabs />
        <AtAGlance overview={overview} />
        <Connection live={live} openedAt={openedAt} />
        {actionData?.refused ? (
          <div className="summary" role="alert">
            <h2>That was not done</h2>
            <p>{actionData.refused}</p>
          </div>
        ) : (
          <Done />
        )}
        <Topology overview={overview} />
        <Numbers overview={overview} />
      </section>
      <section aria-labelledby="followers">
        <h2 id="followers">What follows the event store</h2>
        <Followers overview={overview} />
      </section>
      {isRebuilding && (
        <section aria-labelledby="rebuilds">
          <h2 id="rebuilds">Being built again</h2>
          <Rebuilds overview={overview} />
        </section>
      )}
      <section aria-labelledby="parked">
        <h2 id="parked" ref={heading} tabIndex={-1}>
          Parked
        </h2>
        <ParkedThings list={parked} refused={actionData} />
      </section>
      <section aria-labelledby="jobs">
        <h2 id="jobs">Jobs</h2>
        <Jobs jobs={overview.jobs} />
      </section>
    </>
  )
}
