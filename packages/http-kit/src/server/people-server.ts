// The directory of people as other services of ours ask it: one contract for identity and the gateway, at a port of its own.
import { createHash, timingSafeEqual } from 'node:crypto'
import { personId } from '@headwater/deciders/fields'
import { anonymous, partner, type Rules } from '@headwater/deciders/policy'
import { z } from 'zod'
import { bearerToken, type CredentialsOf } from '../access/auth.ts'
import { Problem } from '../commands/problem.ts'
import type { Logger } from '../telemetry/telemetry.ts'
import { createHealth } from './health.ts'
import { createServer, type HttpServer } from './server.ts'

const keyLengthMin = 32

/** Sent as a bearer token. */
const key = z
  .string()
  .min(keyLengthMin)
  .regex(/^[\w\-.~+/]+=*$/, 'only letters, digits and -._~+/')

/** Of a service that asks the directory. */
export const directorySettings = {
  PEOPLE_URL: z.url().default('http://127.0.0.1:8091'),
  PEOPLE_KEY: key,
}

/** Of a service that can be the directory: without a key it is not. */
export const peopleServerSettings = {
  PEOPLE_KEY: key.optional(),
  PEOPLE_PORT: z.coerce.number().int().min(0).max(65_535).default(8091),
}

export const findPersonPath = '/people/find'

// An unknown person is no 404: a wrong address must not pass for a directory without people.
export const foundPerson = z.object({
  person: z.object({ roles: z.array(z.string()).readonly() }).nullable(),
})

/** What the directory says of a person: that they are there, and what they are. */
export type KnownPerson = NonNullable<z.infer<typeof foundPerson>['person']>

const rules: Rules = [partner('people:find')]

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Accepts only the key: with tokens of people or partners, any account could probe IDs. */
const keyCredentials = (key: string): CredentialsOf => {
  const expected = digest(key)
  return async (request) => {
    const given = bearerToken(request)
    if (given === undefined) return [{ actor: anonymous }]
    if (!timingSafeEqual(digest(given), expected)) throw new Problem(401, 'invalid_token', 'This is not the key.')
    return [{ actor: { kind: 'partner', sub: 'directory key', roles: [], scopes: ['people:find'] } }]
  }
}

export type PeopleServerOptions = {
  readonly key: string
  /** Undefined where no such person is there now. @throws Problem 503 while that cannot be known */
  readonly find: (id: string) => Promise<KnownPerson | undefined>
  readonly logger: Logger
}

/** The server of a service whose settings say that it is the directory. */
export const peopleServerOf = async (
  { PEOPLE_KEY: key, PEOPLE_PORT: port }: { readonly PEOPLE_KEY?: string | undefined; readonly PEOPLE_PORT: number },
  options: Omit<PeopleServerOptions, 'key'>,
) => (key === undefined ? undefined : { server: await createPeopleServer({ key, ...options }), port })

export const createPeopleServer = async ({ key, find, logger }: PeopleServerOptions): Promise<HttpServer> => {
  const server = await createServer({
    title: 'Headwater people',
    description: 'Who there is, for services of ours only.',
    logger,
    health: createHealth({}),
    credentialsOf: keyCredentials(key),
  })
  server.post(
    findPersonPath,
    {
      config: { rules },
      schema: {
        summary: 'Whether there is such a person, and in which roles',
        // In a body: an issuer may call people by their addresses.
        body: z.strictObject({ id: personId }),
        response: { 200: foundPerson },
      },
    },
    async ({ body }, reply) => {
      reply.header('cache-control', 'no-store')
      const found = await find(body.id)
      return { person: found ? { roles: found.roles } : null }
    },
  )
  return server
}
