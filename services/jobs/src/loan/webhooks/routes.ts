// For operators: partners' webhooks, what they were told, and telling them again.
import { uuid } from '@headwater/deciders/fields'
import {
  deliveryList,
  registerWebhookInput,
  rotateSecretInput,
  type Webhook,
  webhook,
  webhookList,
  webhookWithSecret,
} from '@headwater/deciders/webhook/webhook'
import { webhookRules } from '@headwater/deciders/webhook/webhook-policy'
import { identify } from '@headwater/http-kit/commands/idempotency'
import { Problem, validationProblem } from '@headwater/http-kit/commands/problem'
import type { WebhookSender } from '@headwater/http-kit/outbound/webhook-sender'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import type { Deliveries } from './deliveries.ts'
import type { Registry } from './registry.ts'
import type { Secrets } from './secrets.ts'

const params = z.object({ id: uuid })

const unknownWebhook = () => new Problem(404, 'webhook_not_found', 'There is no such webhook.')

export type WebhookRoutes = {
  readonly registry: Registry
  readonly deliveries: Deliveries
  readonly secrets: Secrets
  readonly sender: Pick<WebhookSender, 'urlError'>
}

export const registerWebhookRoutes = (server: HttpServer, options: WebhookRoutes): void => {
  const { registry, deliveries, secrets, sender } = options
  const withSecret = (shown: Webhook) => ({
    ...shown,
    secret: secrets.current({ webhookId: shown.id, secretVersion: shown.secretVersion }),
  })

  server.post(
    '/api/webhooks',
    {
      config: { rules: webhookRules.register, leavesNoEvent: true },
      schema: { operationId: 'registerWebhook', body: registerWebhookInput, response: { 201: webhookWithSecret } },
    },
    async (request, reply) => {
      const { actor, body } = request
      const refused = sender.urlError(body.url)
      if (refused) throw validationProblem([{ field: 'url', message: refused }])
      const { createdId: id } = identify(request, actor)
      const registered = await registry.register({ id, ...body, registeredBy: actor.sub })
      if (registered === 'too many')
        throw new Problem(409, 'too_many_webhooks', 'This partner has as many webhooks as it may have.')
      if (registered === 'another of this id')
        throw new Problem(422, 'idempotency_key_reused', 'This key was used for another webhook.')
      return reply
        .status(201)
        .headers({ location: `/api/webhooks/${id}/deliveries`, 'cache-control': 'no-store' })
        .send(withSecret(registered))
    },
  )

  server.get(
    '/api/webhooks',
    { config: { rules: webhookRules.list }, schema: { operationId: 'webhooks', response: { 200: webhookList } } },
    async () => ({ webhooks: [...(await registry.list())] }),
  )

  for (const name of ['disable', 'enable'] as const)
    server.post(
      `/api/webhooks/:id/${name}`,
      {
        config: { rules: webhookRules[name], leavesNoEvent: true },
        schema: { operationId: `${name}Webhook`, params, response: { 200: webhook } },
      },
      async ({ params: { id } }) => {
        const changed = await registry.setEnabled(id, name === 'enable')
        if (!changed) throw unknownWebhook()
        return changed
      },
    )

  server.post(
    '/api/webhooks/:id/rotate-secret',
    {
      config: { rules: webhookRules.rotateSecret, leavesNoEvent: true },
      schema: {
        operationId: 'rotateWebhookSecret',
        params,
        body: rotateSecretInput,
        response: { 200: webhookWithSecret },
      },
    },
    async ({ params: { id }, body }, reply) => {
      const rotated = await registry.rotateSecret(id, body.secretVersion)
      if (!rotated) throw unknownWebhook()
      if (rotated === 'not current')
        throw new Problem(409, 'secret_not_current', 'This secret has been replaced already.')
      return reply.header('cache-control', 'no-store').send(withSecret(rotated))
    },
  )

  server.get(
    '/api/webhooks/:id/deliveries',
    {
      config: { rules: webhookRules.deliveries },
      schema: { operationId: 'webhookDeliveries', params, response: { 200: deliveryList } },
    },
    async ({ params: { id } }) => {
      const found = await registry.find(id)
      if (!found) throw unknownWebhook()
      return { webhook: found, deliveries: [...(await deliveries.list(id))] }
    },
  )

  server.post(
    '/api/webhooks/deliveries/:id/again',
    {
      config: { rules: webhookRules.deliverAgain, leavesNoEvent: true },
      schema: { operationId: 'deliverWebhookAgain', params, response: { 202: z.object({ id: z.uuid() }) } },
    },
    async ({ params: { id } }, reply) => {
      const outcome = await deliveries.again(id)
      if (outcome === 'unknown') throw new Problem(404, 'delivery_not_found', 'There is no such delivery.')
      if (outcome === 'webhook disabled')
        throw new Problem(409, 'webhook_disabled', 'The webhook is disabled; enable it first.')
      return reply.status(202).send({ id })
    },
  )
}
