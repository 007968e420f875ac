// What the service needs before it can sign anybody in, made as soon as Postgres and the event store answer.
import { Rejection } from '@headwater/deciders/decider'
import type { EventStore } from '@headwater/eventstore/client/client'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { migrate } from '@headwater/postgres/migrate'
import type { SharedLimits } from '@headwater/postgres/shared-limits'
import type Provider from 'oidc-provider'
import type { Pool } from 'pg'
import type { Client } from './issuer/clients.ts'
import { createIssuer } from './issuer/issuer.ts'
import { openRecords, type Records } from './issuer/records.ts'
import { createSeal } from './issuer/sealed.ts'
import { readSigningKeys } from './issuer/signing-keys.ts'
import { createThrottle, type Throttle } from './sign-in/throttle.ts'
import { type Credentials, openCredentials } from './users/credentials.ts'
import { demoClients, demoKey, demoPeople } from './users/demo.ts'
import { createUsers, type Registration, type Users } from './users/users.ts'

const retryDelayMs = 500

export type Ready = {
  readonly provider: Provider
  readonly users: Users
  readonly records: Records
  readonly throttle: Throttle
}

export type ReadyOptions = {
  readonly store: EventStore
  readonly pool: Pool
  readonly limits: Pick<SharedLimits, 'limit'>
  readonly issuer: string
  readonly audience: string
  readonly key: string
  readonly cookieKeys: readonly string[]
  readonly clients: readonly Client[]
  /** The demo's people and clients are there as well. */
  readonly demo: { readonly publicUrl: string } | undefined
  readonly logger: Logger
}

export type Preparation = {
  /** @throws Problem 503 until everything is there */
  readonly ready: () => Ready
  readonly isReady: () => boolean
  readonly stop: () => Promise<void>
}

export const allClients = ({ clients, demo }: Pick<ReadyOptions, 'clients' | 'demo'>): readonly Client[] => {
  const isThere = new Set(clients.map(({ id }) => id))
  // What an operator says about a client counts, also beside the demo.
  const ofDemo = demo ? demoClients(demo.publicUrl).filter(({ id }) => !isThere.has(id)) : []
  return [...ofDemo, ...clients]
}

/** As anybody registers; whoever is there already gets the password that the page shows. */
const addDemoPerson = async (
  person: Registration,
  { users, credentials, logger }: { readonly users: Users; readonly credentials: Credentials; readonly logger: Logger },
) => {
  try {
    const userId = await users.register(person, demoKey(person))
    if (!(await users.authenticate(person.userName, person.password))) await credentials.set(userId, person.password)
  } catch (error) {
    const isThere = error instanceof Rejection && ['identifier_taken', 'idempotency_key_reused'].includes(error.code)
    if (!isThere) throw error
    logger.warn({ userName: person.userName, code: error.code }, 'a demo person is there already, made otherwise')
  }
}

const prepare = async (options: ReadyOptions): Promise<Ready> => {
  const { store, pool, limits, issuer, audience, key, cookieKeys, demo, logger } = options
  await migrate(pool)
  const seal = createSeal(key)
  const signingKeys = await readSigningKeys(pool, seal)
  const credentials: Credentials = await openCredentials(pool)
  const users = createUsers({ store, credentials, key, logger })
  if (demo) for (const person of demoPeople) await addDemoPerson(person, { users, credentials, logger })
  const records = openRecords(pool, seal, logger)
  const clients = allClients(options)
  const provider = createIssuer({
    issuer,
    audience,
    clients,
    users,
    records,
    signingKeys,
    // Mails of the demo end in the sandbox's inbox: an address that is somebody else's bothers nobody.
    trustsEmails: demo !== undefined,
    cookieKeys,
    logger,
  })
  return { provider, users, records, throttle: createThrottle(limits, key) }
}

/** Begins at once, and tries again until it succeeds. */
export const startPreparation = (options: ReadyOptions): Preparation => {
  let prepared: Ready | undefined
  const ending = new AbortController()
  const stopped = new Promise<void>((resolve) => ending.signal.addEventListener('abort', () => resolve()))

  const run = async () => {
    while (!prepared && !ending.signal.aborted)
      try {
        prepared = await prepare(options)
      } catch (error) {
        options.logger.warn({ err: error }, 'not everything is there yet; trying again')
        let timer: NodeJS.Timeout | undefined
        await Promise.race([new Promise((resolve) => (timer = setTimeout(resolve, retryDelayMs))), stopped])
        clearTimeout(timer)
      }
  }
  const ended = run()

  return {
    isReady: () => prepared !== undefined,
    ready: () => {
      if (!prepared) throw new Problem(503, 'identity_starting', 'This is starting. Please try again in a moment.')
      return prepared
    },
    stop: async () => {
      ending.abort()
      await ended
      prepared?.records.stop()
    },
  }
}
