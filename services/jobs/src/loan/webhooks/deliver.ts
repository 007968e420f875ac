// One attempt to tell a webhook: sent, then noted. Whoever dies in between sends it again under the same id.

import type { WebhookSender } from '@headwater/http-kit/outbound/webhook-sender'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { Deliveries } from './deliveries.ts'
import type { Secrets } from './secrets.ts'

export type DeliverOptions = {
  readonly deliveries: Deliveries
  readonly secrets: Secrets
  readonly sender: WebhookSender
  readonly logger: Logger
}

/** Has it tried again later. */
class NotDelivered extends Error {
  override readonly name = 'NotDelivered'
}

export const createDeliver =
  ({ deliveries, secrets, sender, logger }: DeliverOptions) =>
  async (payload: unknown): Promise<void> => {
    const { id } = payload as { readonly id: string } // as the log enqueued it
    const due = await deliveries.due(id)
    if (!due) return
    const { webhookId, url, body, isDisabled } = due
    if (isDisabled) return deliveries.park(id, 'the webhook is disabled')
    const outcome = await sender.send({ url, id, body }, secrets.signing(due, new Date()))
    const state = await deliveries.note(id, outcome)
    logger.info({ deliveryId: id, webhookId, state, ...outcome }, 'a webhook was called')
    if (!outcome.delivered && state === 'waiting') throw new NotDelivered(outcome.error)
  }
