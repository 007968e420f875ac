// Who is asking: checks the bearer token of a request and makes the actor of it.
import { createPublicKey } from 'node:crypto'
import { personId, reference } from '@headwater/deciders/fields'
import { type Actor, anonymous } from '@headwater/deciders/policy'
import type { FastifyRequest } from 'fastify'
import { decodeJwt, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { Problem } from '../commands/problem.ts'
import type { PartStatus } from '../server/part-status.ts'
import type { Logger } from '../telemetry/telemetry.ts'
import { connectIssuer, IssuerUnavailable, KeyNotAskedFor } from './issuer-keys.ts'

/** Of the tokens that the gateway makes for who has no account: each is for one thing. */
export const capabilityIssuer = 'headwater-gateway'

const clientIdLengthMax = 255
const clientId = reference(clientIdLengthMax)
const algorithms = ['ES256', 'RS256']
const capabilityAlgorithms = ['ES256']
/** RFC 9068: an access token and nothing else that the issuer signs. */
const tokenType = 'at+jwt'
const clockToleranceSeconds = 30
const tokenLengthMax = 8_192
/** A signature costs more to check than most requests to answer, and clients send a token many times. */
const checkedTokensMax = 5_000
const checkedTokenMs = 60_000
/** So that keys can be exchanged: the new and the one before. */
const capabilityKeysMax = 4

const pemBlock = /-----BEGIN PUBLIC KEY-----[\s\S]+?-----END PUBLIC KEY-----/g

const publicKeys = z
  .string()
  .default('')
  .transform((text, { issues }) => {
    // Files of variables hold no line breaks.
    const blocks = text.replaceAll('\\n', '\n').match(pemBlock) ?? []
    try {
      if (blocks.length > capabilityKeysMax || (text.trim() !== '' && blocks.length === 0)) throw new Error()
      return blocks.map((block) => {
        const key = createPublicKey(block)
        if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error()
        return key
      })
    } catch {
      issues.push({ code: 'custom', input: text, message: `up to ${capabilityKeysMax} public P-256 keys, each in PEM` })
      return z.NEVER
    }
  })

/** What a service has to be told to check tokens. */
export const authSettings = {
  /** Exactly as the issuer calls itself in its tokens. */
  OIDC_ISSUER: z.url({ protocol: /^https?$/ }).default('http://localhost:8086'),
  OIDC_AUDIENCE: z.string().default('headwater'),
  /** Where in a token the roles are: a claim, or a path such as `realm_access.roles`. */
  OIDC_ROLES_CLAIM: z.string().default('roles'),
  /** Clients that are partners although their tokens have another `sub`, as some issuers make it; commas between. */
  OIDC_PARTNER_CLIENTS: z
    .string()
    .default('')
    .transform((text): readonly string[] => text.split(',').flatMap((name) => name.trim() || [])),
  CAPABILITY_PUBLIC_KEYS: publicKeys,
}

const settingsSchema = z.object(authSettings)
export type AuthSettings = z.output<typeof settingsSchema>

export type Authenticator = {
  /** Whose tokens it believes. */
  readonly issuer: string
  /** @throws Problem 401 `invalid_token`, 503 `issuer_unavailable` while its keys are not known */
  readonly actorOf: (token: string) => Promise<Actor>
  /** Whether the issuer's keys can be had; looks for them when they are not known yet. */
  readonly status: () => Promise<PartStatus>
}

/** It is signed with a key that the issuer may have by now, and will be asked for in a moment. */
export class KeyNotKnownYet extends Problem {
  constructor() {
    super(401, 'invalid_token', 'The access token cannot be checked yet.')
  }
}

const invalidToken = () => new Problem(401, 'invalid_token', 'The access token is not valid, or not any more.')

/** The value at a claim's name, or at a path of names with dots between. */
const claimAt = (payload: JWTPayload, path: string): unknown => {
  if (path in payload) return payload[path]
  let value: unknown = payload
  for (const name of path.split('.'))
    value = typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : null
  return value
}

const textsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return value.split(' ').filter((text) => text !== '')
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : []
}

const isFromTheFuture = ({ iat = Number.POSITIVE_INFINITY }: JWTPayload): boolean =>
  iat > Date.now() / 1_000 + clockToleranceSeconds

export const createAuthenticator = (settings: AuthSettings, logger: Logger): Authenticator => {
  const issuer = connectIssuer(settings.OIDC_ISSUER, logger)
  const checks: JWTVerifyOptions = {
    audience: settings.OIDC_AUDIENCE,
    typ: tokenType,
    clockTolerance: clockToleranceSeconds,
  }

  const checked = new LRUCache<string, { readonly actor: Actor; readonly endsMs: number }>({
    max: checkedTokensMax,
    ttl: checkedTokenMs,
  })

  const issuedActor = async (token: string): Promise<Actor> => {
    const { payload } = await jwtVerify(token, issuer.keyOf, {
      ...checks,
      issuer: settings.OIDC_ISSUER,
      algorithms,
      requiredClaims: ['exp', 'iat', 'sub', 'client_id'],
    })
    const { scope } = payload
    const sub = personId.safeParse(payload.sub).data
    const client = clientId.safeParse(payload.client_id).data
    if (sub === undefined || client === undefined || isFromTheFuture(payload)) throw invalidToken()
    const scopes = textsOf(scope)
    if (payload.sub === client || settings.OIDC_PARTNER_CLIENTS.includes(client))
      return { kind: 'partner', sub: client, roles: [], scopes }
    return { kind: 'person', sub, roles: textsOf(claimAt(payload, settings.OIDC_ROLES_CLAIM)), scopes }
  }

  const capabilityActor = async (token: string): Promise<Actor> => {
    for (const key of settings.CAPABILITY_PUBLIC_KEYS)
      try {
        const { payload } = await jwtVerify(token, key, {
          ...checks,
          issuer: capabilityIssuer,
          algorithms: capabilityAlgorithms,
          requiredClaims: ['exp', 'iat', 'sub'],
        })
        const { sub, scope } = payload
        if (!sub || scope !== sub || isFromTheFuture(payload)) throw invalidToken()
        return { kind: 'capability', sub, roles: [], scopes: [scope] }
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      }
    throw invalidToken()
  }

  return {
    issuer: settings.OIDC_ISSUER,
    actorOf: async (token) => {
      if (token.length > tokenLengthMax) throw invalidToken()
      try {
        const known = checked.get(token)
        if (known && Date.now() < known.endsMs) return known.actor
        // Only says which keys to check it with; those then say whether it is true.
        const { iss, exp = 0 } = decodeJwt(token)
        const actor = await (iss === capabilityIssuer ? capabilityActor(token) : issuedActor(token))
        checked.set(token, { actor, endsMs: exp * 1_000 })
        return actor
      } catch (error) {
        if (error instanceof IssuerUnavailable)
          throw new Problem(503, 'issuer_unavailable', 'Who you are cannot be checked at the moment.')
        if (!(error instanceof errors.JOSEError)) throw error
        logger.debug({ code: error.code }, 'a token was refused')
        if (error instanceof KeyNotAskedFor) throw new KeyNotKnownYet()
        throw invalidToken()
      }
    },
    status: issuer.status,
  }
}

/** When a token that was checked ends, in ms since 1970. */
export const tokenEndMs = (token: string): number => (decodeJwt(token).exp ?? 0) * 1_000

const bearer = /^Bearer +([\w\-.~+/]+=*) *$/i

/** The bearer token that the request carries, if any. @throws Problem 401 when it authorises itself otherwise */
export const bearerToken = ({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined => {
  if (headers.authorization === undefined) return undefined
  const [, token] = bearer.exec(headers.authorization) ?? []
  if (token === undefined) throw invalidToken()
  return token
}

/** Who sends a request, and the token that proves it to other services. */
export type Credential = { readonly actor: Actor; readonly token?: string }

export type CredentialsOf = (request: FastifyRequest) => Promise<readonly Credential[]>

/** The credentials of a service that knows bearer tokens only: exactly one, which may be nobody's. */
export const bearerCredentials =
  ({ actorOf }: Authenticator): CredentialsOf =>
  async (request) => {
    const token = bearerToken(request)
    return token === undefined ? [{ actor: anonymous }] : [{ actor: await actorOf(token), token }]
  }
