// Whether anything needs somebody, in one line: the first thing that whoever is called at night wants to know.
import type { Operations } from '@headwater/deciders/operations/operations'
import { Fragment } from 'react'
import { countText, standingOf } from './standing.ts'

type Matter = { readonly text: string; readonly at: string }

const mattersOf = ({ store, postgres, followers, jobs, webhooks }: Operations): readonly Matter[] => {
  const failed = jobs?.reduce((sum, { parked }) => sum + parked, 0) ?? 0
  const givenUp = webhooks?.parked ?? 0
  return [
    ...(store.answers ? [] : [{ text: 'The event store does not answer', at: '#followers' }]),
    ...(postgres.answers ? [] : [{ text: 'Postgres does not answer', at: '#followers' }]),
    ...followers.flatMap((follower) => {
      const { mood, text } = standingOf(follower, store)
      const isSaid = mood === 'good' || (!store.answers && mood === 'waits' && !follower.paused)
      return isSaid
        ? []
        : [{ text: `${follower.name}: ${text.toLowerCase()}`, at: follower.parked ? '#parked' : '#followers' }]
    }),
    ...(failed > 0 ? [{ text: `${countText(failed, 'job')} failed for good`, at: '#parked' }] : []),
    ...(givenUp > 0 ? [{ text: `${countText(givenUp, 'webhook message')} given up`, at: '/operations/webhooks' }] : []),
  ]
}

export const AtAGlance = ({ overview }: { overview: Operations }) => {
  const matters = mattersOf(overview)
  if (matters.length === 0) return <p className="lead">Everything runs. Nothing waits for you.</p>
  return (
    <p className="lead">
      {matters.map(({ text, at }, n) => (
        <Fragment key={text}>
          {n > 0 && ' · '}
          <a href={at}>{text}</a>
        </Fragment>
      ))}
    </p>
  )
}
