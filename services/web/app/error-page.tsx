// The page that stands in for one that cannot be shown: says why in plain words, and where to go from there.
import type { ReactNode } from 'react'
import { isRouteErrorResponse, Link, useLocation } from 'react-router'

type Explanation = { readonly title: string; readonly text: string; readonly next: 'again' | 'home' }

const explanations: Readonly<Record<number, Explanation>> = {
  401: {
    title: 'This page is for underwriters',
    text: 'You are not signed in as one. If you applied for a loan, the page of your application shows how it stands.',
    next: 'home',
  },
  403: {
    title: 'This page is for underwriters',
    text: 'Your account may not see it. If you think it should, ask whoever looks after your team’s accounts.',
    next: 'home',
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
  title: 'Almost there',
  text: 'This was written down a moment ago and has not reached this page yet. It usually takes less than a second.',
  next: 'again',
}

const explain = (error: unknown): Explanation => {
  // Only the browser fails to fetch: the server's own calls end as an answer with a status.
  if (error instanceof TypeError && /fetch/i.test(error.message)) return unreachable
  if (!isRouteErrorResponse(error)) return failed
  if (error.status === 404 && error.data?.stale === true) return notThereYet
  return explanations[error.status] ?? (error.status >= 500 ? unavailable : failed)
}

const Picture = (): ReactNode => (
  <svg className="stream" viewBox="0 0 240 64" aria-hidden="true">
    <path d="M0 20c30-22 60-22 90 0" />
    <path d="M150 20c30-22 60-22 90 0" />
    <path d="M0 46c20-15 40-15 60 0s40 15 60 0 40-15 60 0 40 15 60 0" />
  </svg>
)

export const ErrorPage = ({ error }: { error: unknown }) => {
  const { title, text, next } = explain(error)
  const { pathname, search } = useLocation()
  return (
    <article className="notice">
      <title>{`${title} · Headwater`}</title>
      <Picture />
      <h1>{title}</h1>
      <p className="lead">{text}</p>
      <p className="actions">
        {next === 'again' ? (
          <a className="button" href={pathname + search}>
            Try again
          </a>
        ) : (
          <Link className="button" to="/">
            To the start
          </Link>
        )}
        {next === 'again' ? <Link to="/">To the start</Link> : <Link to="/apply">Apply for a loan</Link>}
      </p>
    </article>
  )
}
