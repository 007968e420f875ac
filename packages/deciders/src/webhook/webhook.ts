// Schemas of the webhook API: bodies and answers.
import { z } from 'zod'
import { lineOfText, reference } from '../fields.ts'

const urlCharactersMax = 2_000
const partnerCharactersMax = 200
/** The largest integer of Postgres. */
const secretVersionMax = 2 ** 31 - 1

const partner = reference(partnerCharactersMax).meta({
  description: 'The client id of the partner, as the identity provider knows it.',
  examples: ['demo-partner'],
})

export const registerWebhookInput = z
  .strictObject({
    partner,
    url: lineOfText(urlCharactersMax).meta({
      description: 'An https address on port 443, which the open Internet can reach.',
      examples: ['https://partner.example.com/headwater'],
    }),
  })
  .meta({ id: 'RegisterWebhook' })

export const rotateSecretInput = z
  .strictObject({
    secretVersion: z
      .int()
      .min(1)
      .max(secretVersionMax)
      .meta({ description: 'Of the secret to replace: a repeat does not replace the new one.' }),
  })
  .meta({ id: 'RotateWebhookSecret' })

const instant = z.iso.datetime()

export const webhook = z
  .object({
    id: z.uuid(),
    partner: z.string(),
    url: z.string(),
    registeredAt: instant,
    registeredBy: z.string(),
    disabledAt: instant.nullable(),
    secretVersion: z.int(),
    waiting: z.int().meta({ description: 'Deliveries that are being tried.' }),
    parked: z.int().meta({ description: 'Deliveries that were given up.' }),
  })
  .meta({ id: 'Webhook' })
export type Webhook = z.infer<typeof webhook>

export const webhookWithSecret = webhook
  .extend({
    secret: z.string().meta({ description: 'Shown now and never again. Signs as Standard Webhooks says.' }),
  })
  .meta({ id: 'WebhookWithSecret' })

export const delivery = z
  .object({
    id: z.uuid().meta({ description: 'The `webhook-id`, the same however often it is sent.' }),
    type: z.string().meta({ examples: ['loan.approved'] }),
    loanId: z.uuid(),
    state: z.enum(['waiting', 'delivered', 'parked']),
    attempts: z.int(),
    enteredAt: instant,
    triedAt: instant.nullable(),
    status: z.int().nullable().meta({ description: 'Of the last answer.' }),
    error: z.string().nullable().meta({ description: 'Why the last attempt failed.' }),
  })
  .meta({ id: 'WebhookDelivery' })
export type Delivery = z.infer<typeof delivery>

export const webhookList = z.object({ webhooks: z.array(webhook) })
export const deliveryList = z.object({ webhook, deliveries: z.array(delivery) })
