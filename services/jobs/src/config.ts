// The jobs service's settings.
import { keyLengthMin } from '@headwater/eventstore/keyed-id'
import { authSettings } from '@headwater/http-kit/access/auth'
import { auditSettings, serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

const hoursOfWeek = 7 * 24

const refusePrivateWebhooksInProduction = z.refine<{
  NODE_ENV?: string | undefined
  WEBHOOK_ALLOW_PRIVATE?: string | undefined
}>((config) => config.NODE_ENV !== 'production' || config.WEBHOOK_ALLOW_PRIVATE === undefined, {
  path: ['WEBHOOK_ALLOW_PRIVATE'],
  message: 'must not be set in production',
})

export const config = z
  .object({
    ...serverSettings(8084),
    ...authSettings,
    ...auditSettings,
    NODE_ENV: z.string().optional(),
    EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
    DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/postgres'),
    CREDIT_BUREAU_URL: z.url().default('http://127.0.0.1:8090'),
    /** `smtps://user:password@host` in production. */
    SMTP_URL: z.url({ protocol: /^smtps?$/ }).default('smtp://127.0.0.1:8025'),
    MAIL_FROM: z.string().regex(/@/).default('Headwater <no-reply@headwater.example>'),
    /** Where people find the pages that mails name. */
    PUBLIC_URL: z.url().default('http://localhost:8080'),
    /** The loan service's own: it makes the names of applicants' streams. */
    APPLICANT_KEY: z.string().min(keyLengthMin),
    /** Makes the secrets of webhooks: with another key, every partner needs a new one. */
    WEBHOOK_KEY: z.string().min(keyLengthMin),
    /** A webhook that takes a message so late does not get it any more, until an operator says so. */
    WEBHOOK_GIVE_UP_AFTER_HOURS: z.coerce.number().positive().max(hoursOfWeek).default(24),
    /** For development: webhooks by http, at any port and on this machine. */
    WEBHOOK_ALLOW_PRIVATE: z.literal('1').optional(),
  })
  .check(refusePrivateWebhooksInProduction)
