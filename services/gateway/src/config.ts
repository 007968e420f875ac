// The gateway's settings.
import { contexts } from '@headwater/deciders/contexts'
import { authSettings } from '@headwater/http-kit/access/auth'
import { auditSettings, serverSettings } from '@headwater/http-kit/config'
import { peopleServerSettings } from '@headwater/http-kit/server/people-server'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { gatewayAuthSettings } from './auth/auth.ts'
import { checkWaitMsDefault } from './consent/consent-check.ts'
import type { ServiceUrls } from './forwarding/commands.ts'

/** Names that stand for networks of their kind. */
const networkNames: readonly string[] = ['loopback', 'linklocal', 'uniquelocal']

const isNetwork = (text: string) => networkNames.includes(text) || ipaddr.isValid(text) || ipaddr.isValidCIDR(text)

const networks = z
  .string()
  .refine(
    (text) => text.split(',').every((one) => isNetwork(one.trim())),
    'addresses and networks such as 10.0.0.0/8, with commas between',
  )

/** The services that decide commands, with the settings that say where they are: `<SERVICE>_URL`. */
const deciding = contexts.flatMap(({ service }) =>
  service ? [{ ...service, variable: `${service.name.toUpperCase()}_URL` }] : [],
)
const serviceUrlSettings: object = Object.fromEntries(
  deciding.map(({ variable, port }) => [variable, z.url().default(`http://127.0.0.1:${port}`)]),
)

export const serviceUrlsOf = (settings: object): ServiceUrls =>
  Object.fromEntries(
    deciding.map(({ name, variable }) => [name, String((settings as Record<string, unknown>)[variable])]),
  )

export const config = z.object({
  ...serviceUrlSettings,
  ...serverSettings(8080),
  ...authSettings,
  ...gatewayAuthSettings,
  ...auditSettings,
  ...peopleServerSettings,
  /** The folder the edge projector writes; both are on one machine. */
  EDGE_DIRECTORY: z.string().default('.data/edge'),
  EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
  DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/postgres'),
  /** How long a check of a consent waits for the newest events, in ms. */
  CONSENT_CHECK_WAIT_MS: z.coerce.number().int().min(0).max(10_000).default(checkWaitMsDefault),
  JOBS_URL: z.url().default('http://127.0.0.1:8084'),
  /** Of each partner, over all gateways. */
  PARTNER_LIMIT_PER_MINUTE: z.coerce.number().int().min(1).default(600),
  WEB_URL: z.url().default('http://127.0.0.1:8085'),
  TRUSTED_PROXIES: networks.default('loopback'),
})
