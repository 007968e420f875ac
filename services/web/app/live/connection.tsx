// Whether the page follows what happens, and up to when it is known to be right.
import { SignInLink } from '../shared/sign-in-link.tsx'
import { Time } from '../shared/time.tsx'
import { useHydrated } from '../shared/use-hydrated.ts'
import type { LiveRows } from './use-live-rows.ts'

const stateText = {
  connecting: 'Connecting …',
  live: 'Live',
  reconnecting: 'Connection lost. Reconnecting …',
  ended: 'Your session has ended.',
}

export const Connection = ({
  live: { state, heardAt },
  openedAt,
}: {
  live: Pick<LiveRows<never>, 'state' | 'heardAt'>
  openedAt: string
}) => {
  const scripts = useHydrated()
  return (
    <p className="connection" data-state={scripts ? state : 'still'}>
      {scripts && (
        <span role="status">
          {stateText[state]}
          {state === 'ended' && (
            <>
              {' '}
              <SignInLink>Sign in to go on</SignInLink>
            </>
          )}
        </span>
      )}
      <span>
        {scripts ? ' · as of ' : 'As of '}
        <Time at={heardAt ?? openedAt} as="clock" />
      </span>
      {!scripts && (
        <a href="?" className="quiet">
          Refresh
        </a>
      )}
    </p>
  )
}
