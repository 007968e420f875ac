// The first page with its script and style, and the page that describes the API.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fastifyStatic } from '@fastify/static'
import { fastifySwaggerUi } from '@fastify/swagger-ui'
import type { HttpServer } from '@headwater/http-kit/server'

/** Everything comes from here; nothing inline runs. */
export const contentSecurityPolicy = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'connect-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
}

const root = path.join(import.meta.dirname, '..', 'assets')

export const registerPages = async (server: HttpServer): Promise<void> => {
  const icon = readFileSync(path.join(root, 'icon.svg'))
  await server.register(fastifyStatic, { root, prefix: '/assets/', index: false })
  server.get('/', { schema: { hide: true } }, async (_request, reply) => reply.sendFile('home.html'))
  await server.register(fastifySwaggerUi, {
    routePrefix: '/api/docs',
    logo: { type: 'image/svg+xml', content: icon, href: '/', target: '_self' },
    theme: {
      title: 'Headwater API',
      favicon: [{ filename: 'icon.svg', rel: 'icon', sizes: 'any', type: 'image/svg+xml', content: icon }],
    },
  })
}
