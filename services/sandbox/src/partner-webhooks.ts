// A partner's stand-in: receives webhooks as a partner should, and shows what it received and what it refused.
import { field } from '@headwater/deciders/fields'
import { Problem } from '@headwater/http-kit/commands/problem'
import { verify } from '@headwater/http-kit/outbound/webhook-signature'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'

const receivedKeptMax = 200
const idsKeptMax = 10_000

const secretInput = z.strictObject({ secret: field('webhook secret', z.string().regex(/^whsec_[\w+/=]+$/)) })

const message = z.object({
  type: z.string(),
  id: z.uuid(),
  loanId: z.uuid(),
  occurredAt: z.string(),
  data: z.object({}).loose(),
})

type Received = {
  readonly at: string
  readonly webhookId: string
  readonly outcome: 'accepted' | 'seen before' | 'not signed' | 'wrong signature' | 'too old'
  /** Only of who is believed. */
  readonly message?: z.infer<typeof message>
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const rowOf = ({ at, webhookId, outcome, message }: Received) =>
  `<tr>${[at, outcome, message?.type ?? '', message?.loanId ?? '', webhookId].map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`

const page = (received: readonly Received[], hasSecret: boolean) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Webhooks that arrived</title>
<h1>Webhooks that arrived</h1>
<p>${hasSecret ? 'Signatures are verified.' : 'No secret is set: PUT /partner/webhooks/secret. Until then nothing is believed.'}</p>
<table>
<thead><tr><th scope="col">At</th><th scope="col">Outcome</th><th scope="col">Type</th><th scope="col">Loan</th><th scope="col">Webhook id</th></tr></thead>
<tbody>${received.map(rowOf).join('')}</tbody>
</table>
</html>
`

export const registerPartnerWebhooks = (server: HttpServer): void => {
  const secrets = new Set<string>()
  const seen = new Set<string>()
  const received: Received[] = []
  const failing = { left: 0 }

  const keep = (one: Received) => {
    received.unshift(one)
    received.splice(receivedKeptMax)
  }
  const remember = (id: string) => {
    seen.add(id)
    const [oldest] = seen
    if (seen.size > idsKeptMax && oldest !== undefined) seen.delete(oldest)
  }

  server.put(
    '/partner/webhooks/secret',
    { schema: { summary: "Tell the partner a webhook's secret; it keeps several", body: secretInput } },
    async (request, reply) => {
      secrets.add(request.body.secret)
      return reply.status(204).send()
    },
  )

  server.put(
    '/partner/webhooks/behaviour',
    {
      schema: {
        summary: 'Have the next webhooks answered 500',
        body: z.strictObject({ fail: z.int().min(0).max(100) }),
      },
    },
    async (request) => {
      failing.left = request.body.fail
      return request.body
    },
  )

  server.get(
    '/partner/webhooks',
    { schema: { summary: 'What arrived, the newest first: JSON, or a page for browsers' } },
    async (request, reply) => {
      if (!request.headers.accept?.includes('text/html')) return { received }
      return reply.type('text/html').send(page(received, secrets.size > 0))
    },
  )

  server.register(async (scope) => {
    // The signature is of the bytes, so those are kept.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'string' },
      async (_request: unknown, body: string) => body,
    )

    scope.post('/partner/webhooks', { schema: { summary: 'Where webhooks arrive' } }, async (request, reply) => {
      const at = new Date().toISOString()
      const webhookId = String(request.headers['webhook-id'] ?? '')
      const body = typeof request.body === 'string' ? request.body : ''
      const findings = [...secrets].map((secret) => verify(request.headers, body, { secret, now: new Date() }))
      if (!findings.includes('genuine')) {
        const outcome = findings.find((finding) => finding === 'too old') ?? findings[0] ?? 'wrong signature'
        keep({ at, webhookId, outcome: outcome === 'genuine' ? 'wrong signature' : outcome })
        throw new Problem(401, 'webhook_not_genuine', `Refused: ${outcome}.`)
      }
      if (failing.left > 0) {
        failing.left--
        throw new Problem(500, 'out_of_order', 'The partner is out of order.')
      }
      const outcome = seen.has(webhookId) ? 'seen before' : 'accepted'
      remember(webhookId)
      keep({ at, webhookId, outcome, message: message.parse(JSON.parse(body)) })
      return reply.status(204).send()
    })
  })
}
