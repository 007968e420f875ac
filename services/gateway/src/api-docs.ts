// The page that describes the API, with every command and query to try.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fastifySwaggerUi } from '@fastify/swagger-ui'
import { publicRoute } from '@headwater/http-kit/access/access'
import type { HttpServer } from '@headwater/http-kit/server/server'

/** Everything comes from here; nothing inline runs. The pages of the web service bring a policy of their own. */
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

export const registerApiDocs = async (server: HttpServer): Promise<void> => {
  const icon = readFileSync(path.join(import.meta.dirname, '..', 'assets', 'icon.svg'))
  await server.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, ...publicRoute }
    })
    await scope.register(fastifySwaggerUi, {
      routePrefix: '/api/docs',
      logo: { type: 'image/svg+xml', content: icon, href: '/', target: '_self' },
      theme: {
        title: 'Headwater API',
        favicon: [{ filename: 'icon.svg', rel: 'icon', sizes: 'any', type: 'image/svg+xml', content: icon }],
      },
    })
  })
}
