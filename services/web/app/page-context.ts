// What the server hands to every page it renders.
import { createContext, type RouterContext } from 'react-router'

type PageContext = {
  /** Lets this answer's own scripts run. */
  readonly nonce: string
  readonly gatewayUrl: string
  /** What the browser said of itself: who asks and from which page. The API is told the same. */
  readonly browser: Readonly<Record<string, string>>
  /** Hands a cookie of the API to the browser. */
  readonly setCookie: (cookie: string) => void
  /** Of the page, on this site: where to come back to. */
  readonly address: string
  /** Continues the trace of the request in the calls that the page makes. */
  readonly traceparent: string
  readonly logger: { readonly error: (fields: object, message: string) => void }
}

export type PageContextKey = RouterContext<PageContext>

export const pageContext: PageContextKey = createContext<PageContext>()
