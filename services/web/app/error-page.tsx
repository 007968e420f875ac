// The page that stands in for one that cannot be shown: says why in plain words, and where to go from there.
import { isRouteErrorResponse, Link, useLocation } from 'react-router'
import { SessionEnded, sentForm } from './session-ended.tsx'
import type { Visitor } from './shared/api.server.ts'
import { SignInLink } from './shared/sign-in-link.tsx'
import { Stream } from './shared/stream.tsx'
import { useVisitor } from './shared/visitor.ts'

type Explanation = { readonly title: string; readonly text: string; readonly next: 'again' | 'home' | 'sign in' }

/** Whose pages these are. */
const areas = [
  { start: '/underwriting', people: 'underwriters' },
  { start: '/operations', people: 'operators' },
  { start: '/audit', people: 'auditors' },
] as const

const forbidden = (pathname: string, visitor: Visitor | undefined): Explanation => {
  const area = areas.find(({ start }) => pathname.startsWith(start))
  const who = visitor?.signedIn ? `You are signed in as ${visitor.name}, and that account may not see it. ` : ''
  return {
    title: area ? `This page is for ${area.people}` : 'This page is not for you',
    text: `${who}If you think it should, ask whoever looks after your team’s accounts.`,
    next: 'home',
  }
}

const explanations: Readonly<Record<number, Explanation>> = {
  401: {
    title: 'This browser does not know whose application this is',
    text: 'Open it in the browser in which you applied, or with a link to come back that you made there. If you were signed in when you applied, sign in.',
    next: 'sign in',
  },
  404: {
    title: 'There is nothing at this address',
    text: 'The link may be incomplete, or what it led to is gone. Nothing is wrong with your application.',
    next: 'home',
  },
  422: {
    title: 'This address is not quite right',
    text: 'Part of it means nothing to us. Going back one page and following the link again usually helps.',
    next: 'home',
  },
}
const unavailable: Explanation = {
  title: 'We cannot show this just now',
  text: 'A part of Headwater does not answer. Nothing is lost: what was sent is recorded. Please try again in a moment.',
  next: 'again',
}
const unreachable: Explanation = {
  title: 'We cannot reach Headwater',
  text: 'Your connection seems to be interrupted. What you did before is safe. Try again when you are back online.',
  next: 'again',
}
const failed: Explanation = {
  title: 'Something went wrong here',
  text: 'This is our mistake, not yours, and it has been noted. Nothing that was sent is lost.',
  next: 'again',
}
const notThereYet: Explanation = {
  title: 'This page is not up to date yet',
  text: 'Something that happened lately isn’t shown here yet. Nothing is lost: what was sent is recorded. Please try again in a moment.',
  next: 'again',
}

const explain = (error: unknown, pathname: string, visitor: Visitor | undefined): Explanation => {
  // Only the browser fails to fetch: the server's own calls end as an answer with a status.
  if (error instanceof TypeError && /fetch/i.test(error.message)) return unreachable
  if (!isRouteErrorResponse(error)) return failed
  if (error.data?.code === 'read_model_behind') return notThereYet
  if (error.status === 403) return forbidden(pathname, visitor)
  return explanations[error.status] ?? (error.status >= 500 ? unavailable : failed)
}

const steps = {
  again: ({ address }: { address: string }) => (
    <>
      <a className="button" href={address}>
        Try again
      </a>
      <Link to="/">To the start</Link>
    </>
  ),
  home: () => (
    <>
      <Link className="button" to="/">
        To the start
      </Link>
      <Link to="/apply">Apply for a loan</Link>
    </>
  ),
  'sign in': () => (
    <>
      <SignInLink className="button">Sign in</SignInLink>
      <Link to="/">To the start</Link>
    </>
  ),
}

export const ErrorPage = ({ error }: { error: unknown }) => {
  const { pathname, search } = useLocation()
  const visitor = useVisitor()
  const sent = sentForm(error)
  if (sent) return <SessionEnded sent={sent} />
  const { title, text, next } = explain(error, pathname, visitor)
  const Steps = steps[next]
  return (
    <article className="notice">
      <title>{`${title} · Headwater`}</title>
      <Stream />
      <h1>{title}</h1>
      <p className="lead">{text}</p>
      <p className="actions">
        <Steps address={pathname + search} />
      </p>
    </article>
  )
}
