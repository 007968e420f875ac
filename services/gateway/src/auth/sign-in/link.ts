// The link that brings an applicant back: its code is exchanged once for what the browser that applied holds.
import { field } from '@headwater/deciders/fields'
import { loanApi } from '@headwater/deciders/loan/api'
import { linkDaysMax, loanOfCapability } from '@headwater/deciders/loan/loan-policy'
import { publicRoute } from '@headwater/http-kit/access/access'
import { tokenEndMs } from '@headwater/http-kit/access/auth'
import { Problem } from '@headwater/http-kit/commands/problem'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import type { Capabilities } from '../capabilities.ts'
import { orUnavailable, withForms } from '../forms.ts'
import { keyOfSecret, newSecret } from '../secrets.ts'
import { sendNotice } from './notice.ts'
import type { SessionDatabase } from './sessions.ts'

/** Of one loan: a new one makes the oldest worthless. */
const linksMax = 5

const used = {
  title: 'This link has been used, or has run out',
  text: 'Each link opens an application once. On the device on which you opened it or applied, the page of your application is still there, and makes a new link.',
  next: { label: 'To the start', href: '/' },
} as const

const unavailable = {
  title: 'The link cannot be opened just now',
  text: 'It has not been used up. Please try again in a moment.',
  next: { label: 'Try again', href: '' },
} as const

export const registerLinks = async (
  server: HttpServer,
  options: {
    readonly database: SessionDatabase
    readonly capabilities: Capabilities
    readonly publicUrl: URL
  },
): Promise<void> => {
  const { database, capabilities, publicUrl } = options

  registerQuery(server, 'loan', loanApi.queries.link, async (request, reply) => {
    const { id } = request.params
    // Who has an account comes back by signing in.
    const held = request.allowed.find(({ actor }) => loanOfCapability(actor) === id)
    if (held?.token === undefined) throw new Problem(404, 'loan_not_found', 'There is no such loan.')
    const until = new Date(tokenEndMs(held.token))
    const code = newSecret()
    const expiresAt = await database.asking(async (pool) => {
      await pool.query(
        `delete from headwater.return_links where expires_at < now() or key in (
             select key from headwater.return_links where loan_id = $1 order by created_at desc offset $2)`,
        [id, linksMax - 1],
      )
      const { rows } = await pool.query<{ expires_at: Date }>(
        `insert into headwater.return_links (key, loan_id, expires_at, capability_until)
           values ($1, $2, least(now() + make_interval(days => $3), $4), $4) returning expires_at`,
        [keyOfSecret(code), id, linkDaysMax, until],
      )
      return rows[0]?.expires_at
    })
    const url = new URL(`/auth/link/${code}`, publicUrl).href
    reply.header('cache-control', 'no-store')
    return reply.status(201).send({ url, expiresAt: new Date(expiresAt ?? 0).toISOString() })
  })

  const code = {
    config: publicRoute,
    schema: { hide: true, params: z.object({ code: field('looked up by its hash', z.string()) }) },
  }
  // What looks at links on their way, such as a mail filter or a preview, follows them and sends no form.
  server.get('/auth/link/:code', code, (_request, reply) =>
    sendNotice(reply, 200, {
      title: 'Back to your application',
      text: 'This link opens your application on this device. It works once.',
      next: { label: 'Open my application', post: true },
    }),
  )

  await withForms(server, (scope) => {
    scope.post('/auth/link/:code', code, (request, reply) =>
      orUnavailable(reply, unavailable, async () => {
        const { code } = request.params as { readonly code: string }
        const link = await database.asking(async (pool) => {
          const { rows } = await pool.query<{ loan_id: string; capability_until: Date }>(
            `delete from headwater.return_links where key = $1 and expires_at > now()
             returning loan_id, capability_until`,
            [keyOfSecret(code)],
          )
          return rows[0]
        })
        if (!link) return sendNotice(reply, 410, used)
        // No longer than who made the link may: links that make links would never end.
        await capabilities.grant(request, reply, link.loan_id, link.capability_until.getTime())
        reply.header('cache-control', 'no-store')
        return reply.redirect(`/applications/${link.loan_id}`, 303)
      }),
    )
  })
}
