// The gateway's cookies: no script reads them, no other site's form sends them, and over TLS no other host sets them.
import { type CookieSerializeOptions, fastifyCookie } from '@fastify/cookie'
import type { HttpServer } from '@headwater/http-kit/server'
import type { FastifyReply, FastifyRequest } from 'fastify'

export type Cookies = {
  readonly read: (request: FastifyRequest, name: string) => string | undefined
  /** Of all cookies whose name begins so: the rest of their names, and their values. */
  readonly startingWith: (request: FastifyRequest, start: string) => readonly (readonly [string, string])[]
  /** Until `maxAgeSeconds` are over, or without them until the browser is closed. */
  readonly set: (reply: FastifyReply, name: string, value: string, maxAgeSeconds?: number) => void
  readonly forget: (reply: FastifyReply, name: string) => void
}

/** @param publicUrl where browsers find the gateway: cookies are marked secure when that is https */
export const createCookies = (publicUrl: URL): Cookies => {
  const secure = publicUrl.protocol === 'https:'
  const prefix = secure ? '__Host-' : ''
  const flags: CookieSerializeOptions = { path: '/', httpOnly: true, sameSite: 'lax', secure }
  return {
    read: ({ cookies }, name) => cookies[prefix + name],
    startingWith: ({ cookies }, start) =>
      Object.entries(cookies).flatMap(([name, value]) =>
        name.startsWith(prefix + start) && value !== undefined
          ? [[name.slice(prefix.length + start.length), value] as const]
          : [],
      ),
    set: (reply, name, value, maxAgeSeconds) => {
      reply.setCookie(prefix + name, value, maxAgeSeconds === undefined ? flags : { ...flags, maxAge: maxAgeSeconds })
    },
    forget: (reply, name) => {
      reply.clearCookie(prefix + name, flags)
    },
  }
}

export const registerCookies = async (server: HttpServer): Promise<void> => {
  await server.register(fastifyCookie)
}
