// The identity service's settings.
import { readFileSync } from 'node:fs'
import { keyLengthMin } from '@headwater/eventstore/keyed-id'
import { auditSettings, serverSettings } from '@headwater/http-kit/config'
import { peopleServerSettings } from '@headwater/http-kit/server/people-server'
import { z } from 'zod'
import { clients } from './issuer/clients.ts'

const isOrigin = (url: string) => new URL(url).origin === url.replace(/\/$/, '')

/** An address without path, as an origin is written. */
const origin = z
  .url({ protocol: /^https?$/ })
  .refine(isOrigin, 'an address without a path')
  .transform((url) => new URL(url).origin)

/** JSON in a variable or a file, parsed by what the clients must be. */
const clientsText = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      // The parser's own message quotes the text, and that holds secrets.
      context.addIssue('is not JSON')
      return z.NEVER
    }
  })
  .pipe(clients)

const fileText = z.string().transform((file, context) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    context.addIssue(`${file} cannot be read`)
    return z.NEVER
  }
})

const isHttps = (url: string) => url.startsWith('https://')

export const config = z
  .object({
    ...serverSettings(8086),
    ...auditSettings,
    ...peopleServerSettings,
    NODE_ENV: z.string().optional(),
    /** Where browsers and services find this service; also the `iss` of its tokens. */
    IDENTITY_ISSUER: origin.default('http://localhost:8086'),
    OIDC_AUDIENCE: z.string().min(1).default('headwater'),
    DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/postgres'),
    EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
    /** Names the streams of reservations and seals rows of Postgres; the same for all replicas, for ever. */
    IDENTITY_KEY: z.string().min(keyLengthMin),
    /** Sign cookies: the first signs, all are accepted. */
    IDENTITY_COOKIE_KEYS: z
      .string()
      .transform((keys) => keys.split(',').map((key) => key.trim()))
      .pipe(z.tuple([z.string().min(keyLengthMin)], z.string().min(keyLengthMin))),
    IDENTITY_CLIENTS: clientsText.optional(),
    IDENTITY_CLIENTS_FILE: fileText.pipe(clientsText).optional(),
    IDENTITY_DEMO: z
      .enum(['0', '1'])
      .default('0')
      .transform((flag) => flag === '1'),
    /** The gateway's, where people come back to: for the demo's clients. */
    PUBLIC_URL: origin.default('http://localhost:8080'),
    /** Whose `X-Forwarded-For` is believed. */
    TRUSTED_PROXIES: z.string().default('loopback'),
  })
  .check(
    z.refine((settings) => settings.NODE_ENV !== 'production' || !settings.IDENTITY_DEMO, {
      path: ['IDENTITY_DEMO'],
      message: 'must not be set in production',
    }),
    z.refine((settings) => settings.NODE_ENV !== 'production' || isHttps(settings.IDENTITY_ISSUER), {
      path: ['IDENTITY_ISSUER'],
      message: 'must be https in production',
    }),
    z.refine((settings) => !settings.IDENTITY_CLIENTS || !settings.IDENTITY_CLIENTS_FILE, {
      path: ['IDENTITY_CLIENTS_FILE'],
      message: 'must not be set beside IDENTITY_CLIENTS',
    }),
  )
