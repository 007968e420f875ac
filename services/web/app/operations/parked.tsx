// What could not be projected and the jobs that failed for good, with what can be done about each.
import type { Parked, ParkedList } from '@headwater/deciders/operations/operations'
import type { ReactNode } from 'react'
import { Form } from 'react-router'
import { Time } from '../shared/time.tsx'
import { Hidden } from './followers.tsx'
import type { Refused } from './operations.server.ts'

type EventItem = Extract<Parked, { kind: 'event' }>
type JobItem = Extract<Parked, { kind: 'job' }>

const wishedText = { retry: 'It is about to be tried again.', skip: 'It is about to be skipped.' } as const

/** Of a dead letter only its number is known. */
const nameOf = ({ type, deadLetter }: EventItem) => (deadLetter === null ? type : `Dead letter ${deadLetter}`)

const Title = ({ one }: { one: Parked }) => (
  <h3>
    {one.kind === 'event' ? nameOf(one) : one.job}{' '}
    <span className="quiet">{one.kind === 'event' ? `in ${one.follower}` : 'job'}</span>
  </h3>
)

/** What is asked for by a form of its own, with a reason. */
const Skip = ({
  one,
  refused,
  children,
}: {
  one: Parked
  refused: Refused | undefined
  /** What the form says besides. */
  children?: ReactNode
}) => {
  const { id } = one
  const [of, what] =
    one.kind === 'event' ? [one.follower, `${nameOf(one)} in ${one.follower}`] : ['jobs', `${one.job} of ${one.stream}`]
  const wrong = refused?.skipping?.id === id && refused.skipping.of === of ? refused : undefined
  const field = `reason-${of}-${id}`
  return (
    <details className="more" open={wrong ? true : undefined}>
      <summary>
        Go on without it
        <span className="unseen">: {what}</span>
      </summary>
      <Form method="post" preventScrollReset className="without">
        {children}
        <input type="hidden" name="id" value={id} />
        <div className="field" data-wrong={wrong ? true : undefined}>
          <label htmlFor={field}>Why</label>
          <p id={`${field}-hint`} className="hint">
            Stays on the list with your name. Write nothing about people.
          </p>
          {wrong && (
            <p id={`${field}-error`} className="error">
              {wrong.refused}
            </p>
          )}
          <input
            id={field}
            name="reason"
            maxLength={500}
            defaultValue={wrong?.skipping?.reason}
            autoComplete="off"
            aria-invalid={wrong ? true : undefined}
            aria-describedby={wrong ? `${field}-hint ${field}-error` : `${field}-hint`}
          />
        </div>
        <button
          type="submit"
          name="do"
          value={one.kind === 'event' ? 'skip' : 'skip-job'}
          className="button danger small"
        >
          Skip this {one.kind}
        </button>
      </Form>
    </details>
  )
}

const WaitingEvent = ({ one, node, refused }: { one: EventItem; node: string; refused: Refused | undefined }) => (
  <>
    <Title one={one} />
    <p className="reference">
      {one.deadLetter === null ? `${one.stream}, revision ${one.revision}` : `Position ${one.position}`}
    </p>
    {one.stops && (
      <p className="error">
        {one.follower} has stopped at this event. It goes on when the event can be projected, or when you skip it.
      </p>
    )}
    <p className="error">{one.error}</p>
    <p className="quiet">
      {one.tries === 1 ? 'Tried once' : `Tried ${one.tries} times`}, last <Time at={one.triedAt} />; parked{' '}
      <Time at={one.parkedAt} />. {one.wished && wishedText[one.wished]}
    </p>
    <div className="steer">
      <Form method="post" preventScrollReset>
        <Hidden of={one.follower} node={node} />
        <input type="hidden" name="id" value={one.id} />
        <button type="submit" name="do" value="retry" className="button plain small">
          Try again
          <span className="unseen">
            : {nameOf(one)} in {one.follower}
          </span>
        </button>
      </Form>
      <Skip one={one} refused={refused}>
        <Hidden of={one.follower} node={node} />
      </Skip>
    </div>
  </>
)

const FailedJob = ({ one, refused }: { one: JobItem; refused: Refused | undefined }) => (
  <>
    <Title one={one} />
    <p className="reference">{one.stream}</p>
    <p className="error">{one.error}</p>
    <p className="quiet">
      Failed for good <Time at={one.parkedAt} />.
    </p>
    <div className="steer">
      <Form method="post" preventScrollReset>
        <input type="hidden" name="id" value={one.id} />
        <button type="submit" name="do" value="run-again" className="button plain small">
          Run again
          <span className="unseen">
            : {one.job} of {one.stream}
          </span>
        </button>
      </Form>
      <Skip one={one} refused={refused} />
    </div>
  </>
)

const keyOf = (one: Parked) => (one.kind === 'event' ? `${one.follower} ${one.id}` : one.id)

export const ParkedThings = ({
  list: { parked, count, unread, node },
  refused,
}: {
  list: ParkedList
  refused: Refused | undefined
}) => {
  const skipped = parked.filter((one) => one.skipped !== null)
  const waiting = parked.filter((one) => one.skipped === null)
  return (
    <>
      {unread.length > 0 && <p className="error">The list of {unread.join(', ')} cannot be read now.</p>}
      {waiting.length === 0 ? (
        unread.length === 0 && (
          <p className="empty">
            Nothing is parked.{skipped.length === 0 && ' Every event is in, and no job was given up.'}
          </p>
        )
      ) : (
        <ul className="parked">
          {waiting.map((one) => (
            <li key={keyOf(one)}>
              {one.kind === 'event' ? (
                <WaitingEvent one={one} node={node} refused={refused} />
              ) : (
                <FailedJob one={one} refused={refused} />
              )}
            </li>
          ))}
        </ul>
      )}
      {count > parked.length && (
        <p className="quiet">
          {parked.length} of {count} are shown.
        </p>
      )}
      {skipped.length > 0 && (
        <details className="more">
          <summary>Skipped: {skipped.length}</summary>
          <ul className="parked">
            {skipped.map((one) => (
              <li key={keyOf(one)}>
                <Title one={one} />
                <p className="reference">
                  {one.stream}
                  {one.kind === 'event' && `, revision ${one.revision}`}
                </p>
                {one.skipped && (
                  <p>
                    “{one.skipped.reason}”{' '}
                    <span className="quiet">
                      {one.skipped.byName ?? one.skipped.by}, <Time at={one.skipped.at} />
                    </span>
                  </p>
                )}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  )
}
