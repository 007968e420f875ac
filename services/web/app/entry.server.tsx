// Renders a page to a stream, its scripts marked with the nonce that the content security policy names.
import { PassThrough } from 'node:stream'
import { createReadableStreamFromReadable } from '@react-router/node'
import { renderToPipeableStream } from 'react-dom/server'
import {
  type EntryContext,
  type HandleErrorFunction,
  isRouteErrorResponse,
  type RouterContextProvider,
  ServerRouter,
} from 'react-router'
import { pageContext } from './page-context.ts'

export { pageContext }

const handleRequest = (
  request: Request,
  status: number,
  headers: Headers,
  entry: EntryContext,
  context: Readonly<RouterContextProvider>,
): Promise<Response> => {
  const { nonce, logger } = context.get(pageContext)
  return new Promise((resolve, reject) => {
    const { pipe, abort } = renderToPipeableStream(<ServerRouter context={entry} url={request.url} nonce={nonce} />, {
      nonce,
      // Whole: a page that fails while it renders still becomes an error page with its status.
      onAllReady: () => {
        const body = new PassThrough()
        headers.set('content-type', 'text/html; charset=utf-8')
        resolve(new Response(createReadableStreamFromReadable(body), { status, headers }))
        pipe(body)
      },
      onShellError: reject,
      onError: (error) => logger.error({ err: error }, 'a page could not be rendered'),
    })
    request.signal.addEventListener('abort', () => abort(), { once: true })
  })
}
export default handleRequest

export const handleError: HandleErrorFunction = (error, { request, context }) => {
  // A page that is not there and a browser that is gone are nobody's failure here.
  if (request.signal.aborted || (isRouteErrorResponse(error) && error.status < 500)) return
  context.get(pageContext).logger.error({ err: error }, 'a page failed')
}
