// Whether a page of our own made a browser send this: what cookies make somebody's is not taken from other sites.
import type { FastifyRequest } from 'fastify'
import { Problem } from '../commands/problem.ts'

type Asked = Pick<FastifyRequest, 'headers'>

const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
/** `none` is the person's own doing, such as sending a form again after a reload. */
const ownFetchSites: readonly unknown[] = ['same-origin', 'none']

/** Whether a request of this method may change something. */
export const isUnsafe = ({ method }: Pick<FastifyRequest, 'method'>): boolean => !safeMethods.includes(method)

/**
 * Browsers say where a request is from and pages cannot change what they say; whatever says nothing is refused.
 * @param isOwn what `Origin` must be where the browser says no more than that
 * @throws Problem 403
 */
export const refuseForeignOrigin = (request: Asked, isOwn: (request: Asked) => boolean): void => {
  const site = request.headers['sec-fetch-site']
  if (site === undefined ? isOwn(request) : ownFetchSites.includes(site)) return
  throw new Problem(403, 'foreign_origin', 'This came from a page of another site, or does not say from which.')
}
