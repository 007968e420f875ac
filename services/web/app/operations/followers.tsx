// The table of what follows the event store, with its lag, and pausing and building again as forms.
import type { FollowerShown, Operations } from '@headwater/deciders/operations/operations'
import { Form } from 'react-router'
import { durationText } from '../loan/underwriting/numbers/stat-card.tsx'
import { Time } from '../shared/time.tsx'
import { Sparkline } from './sparkline.tsx'
import { placeText, rateText, standingOf, statusOf } from './standing.ts'

const lagText = (lagMs: number | null) => (lagMs === null ? 'not known' : lagMs === 0 ? 'none' : durationText(lagMs))

export const Hidden = ({ of, node }: { of: string; node: string }) => (
  <>
    <input type="hidden" name="of" value={of} />
    <input type="hidden" name="node" value={node} />
  </>
)

const Actions = ({
  follower: { name, paused, canBeRebuilt, rebuild },
  node,
}: {
  follower: FollowerShown
  node: string
}) => (
  <div className="steer">
    <Form method="post" preventScrollReset>
      <Hidden of={name} node={node} />
      <button type="submit" name="do" value={paused ? 'resume' : 'pause'} className="button plain small">
        {paused ? 'Resume' : 'Pause'}
        <span className="unseen"> {name}</span>
      </button>
    </Form>
    {canBeRebuilt && !rebuild && (
      <details className="more">
        <summary>
          Build again<span className="unseen"> {name}</span>
        </summary>
        <Form method="post" preventScrollReset>
          <Hidden of={name} node={node} />
          <p className="quiet">
            All events are read again into a copy, on half a core. What serves goes on serving until the copy takes its
            place.
          </p>
          <button type="submit" name="do" value="rebuild" className="button small">
            Build {name} again
          </button>
        </Form>
      </details>
    )}
  </div>
)

export const Followers = ({ overview: { followers, store, node } }: { overview: Operations }) => (
  <div className="scroll">
    <table className="followers">
      <thead>
        <tr>
          <th scope="col">Follower</th>
          <th scope="col">State</th>
          <th scope="col" className="number">
            Lag
          </th>
          <th scope="col">Last 5 minutes</th>
          <th scope="col" className="number wide">
            Rows/s
          </th>
          <th scope="col" className="wide">
            Position
          </th>
          <th scope="col">Do</th>
        </tr>
      </thead>
      <tbody>
        {followers.map((follower) => {
          const { name, version, place, unusable, lagMs, rowsPerSecond, position, paused, history } = follower
          const { mood, text } = standingOf(follower, store)
          return (
            <tr key={name}>
              <th scope="row">
                {name} <span className="quiet">v{version}</span>
                <br />
                <span className="quiet">{placeText[place]}</span>
              </th>
              <td className="state">
                <span className="status" data-status={statusOf[mood]}>
                  {text}
                </span>
                {unusable !== null && (
                  <>
                    <br />
                    <span className="quiet">{unusable}</span>
                  </>
                )}
                {paused && (
                  <>
                    <br />
                    <span className="quiet">
                      by {paused.byName ?? paused.by}, <Time at={paused.at} />
                    </span>
                  </>
                )}
              </td>
              <td className="number lag">{lagText(lagMs)}</td>
              <td>
                <Sparkline name={name} lagMs={history.lagMs} />
              </td>
              <td className="number wide">{rateText(rowsPerSecond)}</td>
              <td className="reference wide">{position ?? 'none'}</td>
              <td>
                <Actions follower={follower} node={node} />
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  </div>
)

export const Rebuilds = ({ overview: { followers, node } }: { overview: Operations }) => (
  <ul className="rebuilds">
    {followers.flatMap(({ name, rebuild }) => {
      if (!rebuild) return []
      const { progress, by, byName, at } = rebuild
      const percent = progress ? Math.floor(progress.share * 100) : 0
      return [
        <li key={name}>
          <h3>{name}</h3>
          <progress max={100} value={percent} aria-label={`Rebuild of ${name}`} />
          <p>
            {progress
              ? `${percent} %, ${rateText(progress.eventsPerSecond)} events a second, ${
                  progress.secondsLeft === null
                    ? 'no telling how long'
                    : `about ${durationText(progress.secondsLeft * 1_000)}`
                } to go`
              : 'Begins as soon as its projector sees it.'}
          </p>
          {progress?.trouble && <p className="error">{progress.trouble}</p>}
          <p className="quiet">
            Asked for by {byName ?? by}, <Time at={at} />
          </p>
          <Form method="post" preventScrollReset>
            <Hidden of={name} node={node} />
            <button type="submit" name="do" value="stop-rebuild" className="button plain small">
              Stop<span className="unseen"> the rebuild of {name}</span>
            </button>
          </Form>
        </li>,
      ]
    })}
  </ul>
)
