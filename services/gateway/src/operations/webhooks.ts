// Operators' API for partners' webhooks, as the front door describes it; the jobs service answers.
import { uuid } from '@headwater/deciders/fields'
import {
  deliveryList,
  registerWebhookInput,
  rotateSecretInput,
  webhook,
  webhookList,
  webhookWithSecret,
} from '@headwater/deciders/webhook/webhook'
import { webhookRules } from '@headwater/deciders/webhook/webhook-policy'
import { problemAnswer } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import { answerWith, connectService, registerForwarded } from '../forwarding/forwarding.ts'

/** Of all webhooks, or of what one was told. */
const answerBytesMax = 512 * 1_024

type Operation = {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly rule: keyof typeof webhookRules
  readonly summary: string
  readonly description?: string
  readonly body?: z.ZodType
  readonly response: Readonly<Record<number, z.ZodType>>
}

const operations: readonly Operation[] = [
  {
    method: 'POST',
    url: '/api/webhooks',
    rule: 'register',
    summary: "Register a partner's webhook",
    description: 'The answer holds the secret that signs its messages: it is shown now and never again.',
    body: registerWebhookInput,
    response: { 201: webhookWithSecret },
  },
  { method: 'GET', url: '/api/webhooks', rule: 'list', summary: 'All webhooks', response: { 200: webhookList } },
  {
    method: 'POST',
    url: '/api/webhooks/:id/disable',
    rule: 'disable',
    summary: 'Tell a webhook nothing more',
    description: 'What waits to be told is given up.',
    response: { 200: webhook },
  },
  {
    method: 'POST',
    url: '/api/webhooks/:id/enable',
    rule: 'enable',
    summary: 'Tell a webhook again, from now on',
    response: { 200: webhook },
  },
  {
    method: 'POST',
    url: '/api/webhooks/:id/rotate-secret',
    rule: 'rotateSecret',
    summary: "Replace a webhook's secret",
    description: 'The secret that is replaced signs as well for a day.',
    body: rotateSecretInput,
    response: { 200: webhookWithSecret },
  },
  {
    method: 'GET',
    url: '/api/webhooks/:id/deliveries',
    rule: 'deliveries',
    summary: 'What a webhook was told, the newest first',
    response: { 200: deliveryList },
  },
  {
    method: 'POST',
    url: '/api/webhooks/deliveries/:id/again',
    rule: 'deliverAgain',
    summary: 'Tell a webhook once more',
    description: 'The message, its id and its bytes are the same; the signature is new.',
    response: { 202: z.object({ id: z.uuid() }) },
  },
]

export const registerWebhooks = async (server: HttpServer, jobsUrl: string): Promise<void> => {
  const jobs = connectService('jobs', jobsUrl, { answerBytesMax })
  server.addHook('onClose', jobs.close)

  await registerForwarded(server, (scope) => {
    for (const { method, url, rule, summary, description, body, response } of operations)
      scope.route({
        method,
        url,
        config: { rules: webhookRules[rule] },
        schema: {
          tags: ['webhooks'],
          summary,
          ...(description && { description }),
          ...(body && { body }),
          ...(url.includes(':id') && { params: z.object({ id: uuid }) }),
          response: { ...response, '4xx': problemAnswer('Refused; `code` says why.') },
        },
        handler: async (request, reply) => answerWith(reply, await jobs.forward(request, request.allowed[0]?.token)),
      })
  })
}
