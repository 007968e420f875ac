// The frame of every page, and the page that stands in when one cannot be shown.
import { type ReactNode, useEffect, useRef } from 'react'
import { Link, Links, NavLink, Outlet, Scripts, ScrollRestoration, useLocation } from 'react-router'
import type { Route } from './+types/root'
import { ErrorPage } from './error-page.tsx'
import { getVisitor } from './shared/api.server.ts'
import icon from './shared/icon.svg?url'
import { MissingNotice } from './shared/missing-notice.tsx'
import { OfflineNotice } from './shared/offline-notice.tsx'
import { SignInLink } from './shared/sign-in-link.tsx'
import { useHydrated } from './shared/use-hydrated.ts'
import { hasOwnLoans, useVisitor } from './shared/visitor.ts'
import styles from './styles/main.css?url'

export const links: Route.LinksFunction = () => [
  { rel: 'icon', href: icon, type: 'image/svg+xml' },
  { rel: 'stylesheet', href: styles },
]

/** A page that comes without a document load is announced as one that does: focus goes to its content. */
const useFocusOnNavigation = () => {
  const { pathname } = useLocation()
  const content = useRef<HTMLElement>(null)
  const shown = useRef(pathname)
  useEffect(() => {
    if (shown.current === pathname) return
    shown.current = pathname
    content.current?.focus({ preventScroll: true })
  }, [pathname])
  return content
}

export const loader = async ({ context }: Route.LoaderArgs) => ({ visitor: (await getVisitor(context)) ?? null })

/** An ordinary form: it leaves for a document of the gateway. */
const SignIn = () => {
  const visitor = useVisitor()
  if (!visitor) return null
  if (!visitor.signedIn)
    return (
      <p className="visitor">
        <SignInLink>Sign in</SignInLink>
      </p>
    )
  return (
    <form className="visitor" method="post" action="/auth/sign-out">
      <span title={visitor.name}>{visitor.name}</span>
      <button type="submit" className="link">
        Sign out
      </button>
    </form>
  )
}

/** To the pages of whoever looks, and no others. */
const Navigation = () => {
  const visitor = useVisitor()
  const { roles = [] } = visitor ?? {}
  return (
    <nav aria-label="Main">
      <NavLink to="/apply">Apply</NavLink>
      {hasOwnLoans(visitor) && <Link to="/#loans">Your applications</Link>}
      {visitor?.signedIn && <NavLink to="/consents">Consents</NavLink>}
      {roles.includes('underwriter') && <NavLink to="/underwriting">Underwriting</NavLink>}
      {roles.includes('operator') && <NavLink to="/operations">Operations</NavLink>}
      {roles.includes('auditor') && <NavLink to="/audit">Audit</NavLink>}
      <a href="/api/docs">API</a>
    </nav>
  )
}

export const Layout = ({ children }: { children: ReactNode }) => {
  const content = useFocusOnNavigation()
  const hydrated = useHydrated()
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="theme-color" content="#fbfaf7" media="(prefers-color-scheme: light)" />
        <meta name="theme-color" content="#11171a" media="(prefers-color-scheme: dark)" />
        <Links />
      </head>
      <body>
        <a className="skip" href="#content">
          Skip to the content
        </a>
        <header className="site">
          <Link className="mark" to="/">
            <img src={icon} alt="" width="26" height="26" />
            Headwater
          </Link>
          <Navigation />
          <SignIn />
        </header>
        <OfflineNotice />
        <main id="content" ref={content} tabIndex={-1} data-hydrated={hydrated || undefined}>
          <MissingNotice />
          {children}
        </main>
        <footer className="site">
          <p>Headwater. Every step is written down once and never changed.</p>
        </footer>
        <ScrollRestoration />
        <Scripts />
      </body>
    </html>
  )
}

export default function Root() {
  return <Outlet />
}

export const ErrorBoundary = ({ error }: Route.ErrorBoundaryProps) => <ErrorPage error={error} />
