// Signs what is sent to a webhook, and tells a receiver whether it is genuine and fresh, as Standard Webhooks 1.0 says.
import { createHmac, timingSafeEqual } from 'node:crypto'

/** Signed longer ago than this, or so far ahead, it may be a replay. */
const ageSecondsMax = 5 * 60
const secretPrefix = 'whsec_'
const version = 'v1'

/** The secret as its owner is shown it. */
export const formatSecret = (key: Buffer): string => `${secretPrefix}${key.toString('base64')}`

const keyOf = (secret: string): Buffer => Buffer.from(secret.slice(secretPrefix.length), 'base64')

export type Signed = {
  /** The same however often it is sent: a receiver that has seen it has nothing to do. */
  readonly id: string
  /** Seconds since 1970, as text. */
  readonly timestamp: string
  /** The bytes as they are sent. */
  readonly body: string
}

const signature = ({ id, timestamp, body }: Signed, secret: string): Buffer =>
  createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest()

/** @param secrets more than one while an old one is still honoured: a receiver needs to know any */
export const signedHeaders = (
  { id, body }: Pick<Signed, 'id' | 'body'>,
  secrets: readonly string[],
  at: Date,
): Readonly<Record<string, string>> => {
  const timestamp = String(Math.floor(at.getTime() / 1_000))
  const signatures = secrets.map((secret) => signature({ id, timestamp, body }, secret).toString('base64'))
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.map((text) => `${version},${text}`).join(' '),
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** What a receiver finds; only `genuine` may be acted upon, and only once an id. */
export const verify = (
  headers: Headers,
  body: string,
  { secret, now }: { readonly secret: string; readonly now: Date },
): 'genuine' | 'not signed' | 'wrong signature' | 'too old' => {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return 'not signed'
  const expected = signature({ id, timestamp, body }, secret)
  const isGenuine = signatures.split(' ').some((text) => {
    const [kind, value = ''] = text.split(',')
    const given = Buffer.from(value, 'base64')
    return kind === version && given.length === expected.length && timingSafeEqual(given, expected)
  })
  if (!isGenuine) return 'wrong signature'
  const ageSeconds = now.getTime() / 1_000 - Number(timestamp)
  return Math.abs(ageSeconds) <= ageSecondsMax ? 'genuine' : 'too old'
}
