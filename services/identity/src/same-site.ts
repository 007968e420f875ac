// Keeps other sites from sending our forms in somebody's name.
import { Problem } from '@headwater/http-kit/problem'
import type { FastifyRequest } from 'fastify'

const safeMethods = ['GET', 'HEAD', 'OPTIONS']

/**
 * A hook that lets forms through only where the browser says that a page of ours sends them.
 * @param origin of our pages
 * @throws Problem 403
 */
export const refuseForeignOrigins =
  (origin: string) =>
  async ({ method, headers }: FastifyRequest): Promise<void> => {
    if (safeMethods.includes(method)) return
    const site = headers['sec-fetch-site']
    const isOurs = site === undefined ? headers.origin === origin : site === 'same-origin' || site === 'none'
    if (!isOurs) throw new Problem(403, 'foreign_origin', 'Forms of this service are sent from its own pages only.')
  }
