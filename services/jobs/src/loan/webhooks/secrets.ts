// The secrets that webhooks are signed with: made from one key when they are needed, and kept nowhere.
import { createHmac } from 'node:crypto'
import { formatSecret } from '@headwater/http-kit/outbound/webhook-signature'

/** So long a secret that was replaced still signs as well: its owner exchanges it without losing a message. */
const replacedForMs = 24 * 60 * 60_000

export type SecretOf = {
  readonly webhookId: string
  readonly secretVersion: number
  readonly secretRotatedAt: Date | null
}

export type Secrets = {
  readonly current: (of: Pick<SecretOf, 'webhookId' | 'secretVersion'>) => string
  /** All that sign at a time, the current one first. */
  readonly signing: (of: SecretOf, now: Date) => readonly string[]
}

export const createSecrets = (key: string): Secrets => {
  const current: Secrets['current'] = ({ webhookId, secretVersion }) =>
    formatSecret(createHmac('sha256', key).update(`webhook/${webhookId}/${secretVersion}`).digest())
  return {
    current,
    signing: (of, now) => {
      const { webhookId, secretVersion, secretRotatedAt } = of
      const isFresh = secretRotatedAt !== null && now.getTime() - secretRotatedAt.getTime() < replacedForMs
      return [current(of), ...(isFresh ? [current({ webhookId, secretVersion: secretVersion - 1 })] : [])]
    },
  }
}
