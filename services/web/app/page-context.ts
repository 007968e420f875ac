// What the server hands to every page it renders.
import { createContext, type RouterContext } from 'react-router'

type PageContext = {
  /** Lets this answer's own scripts run. */
  readonly nonce: string
  readonly gatewayUrl: string
  /** As whom the request came, to be said again to the API. */
  readonly credentials: Readonly<Record<string, string>>
  /** Continues the trace of the request in the calls that the page makes. */
  readonly traceparent: string
  readonly logger: { readonly error: (fields: object, message: string) => void }
}

export type PageContextKey = RouterContext<PageContext>

export const pageContext: PageContextKey = createContext<PageContext>()
