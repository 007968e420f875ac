// The gateway's cookies: no script reads them, no other site's form sends them, and over TLS no other host sets them.
import { parseCookie, type SetCookie, stringifySetCookie } from 'cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'

export type Cookies = {
  readonly read: (request: Pick<FastifyRequest, 'headers'>, name: string) => string | undefined
  /** Of all cookies whose name begins so: the rest of their names, and their values. */
  readonly startingWith: (
    request: Pick<FastifyRequest, 'headers'>,
    start: string,
  ) => readonly { readonly rest: string; readonly value: string }[]
  readonly set: (reply: FastifyReply, name: string, value: string, maxAgeSeconds: number) => void
  readonly forget: (reply: FastifyReply, name: string) => void
}

/** @param publicUrl where browsers find the gateway: when that is https, cookies go over nothing else */
export const createCookies = (publicUrl: URL): Cookies => {
  const secure = publicUrl.protocol === 'https:'
  // Browsers take a cookie of such a name only from the host itself, for all of it, over TLS.
  const prefix = secure ? '__Host-' : ''
  const flags = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const satisfies Partial<SetCookie>
  const all = ({ headers }: Pick<FastifyRequest, 'headers'>) => parseCookie(headers.cookie ?? '')
  const set = (reply: FastifyReply, name: string, value: string, maxAge: number) =>
    void reply.header('set-cookie', stringifySetCookie({ ...flags, name: prefix + name, value, maxAge }))
  return {
    read: (request, name) => all(request)[prefix + name],
    startingWith: (request, start) =>
      Object.entries(all(request)).flatMap(([name, value = '']) =>
        name.startsWith(prefix + start) ? [{ rest: name.slice(prefix.length + start.length), value }] : [],
      ),
    set,
    forget: (reply, name) => set(reply, name, '', 0),
  }
}
