// An OpenID Connect issuer of the test's own: discovery and keys over HTTP, and tokens of whatever kind a test needs.
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { authSettings, capabilityIssuer, createAuthenticator } from '@headwater/http-kit/access/auth'
import { parseConfig } from '@headwater/http-kit/config'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { exportJWK, type JWTHeaderParameters, SignJWT } from 'jose'
import { z } from 'zod'
import { freePort } from './free-port.ts'

const audience = 'headwater'

type KeyPair = { readonly kid: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject }

const newKeyPair = (algorithm: string): KeyPair => ({
  kid: randomUUID(),
  ...(algorithm === 'RS256'
    ? generateKeyPairSync('rsa', { modulusLength: 2_048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' })),
})

export type TokenOptions = {
  readonly sub?: string
  readonly roles?: readonly string[]
  readonly scopes?: readonly string[]
  /** Of the client that got the token; the same as `sub` for a partner. */
  readonly clientId?: string
  /** Laid over the claims; undefined leaves a claim out. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Partial<JWTHeaderParameters>
  readonly key?: KeyObject | Uint8Array
}

export type IssuerOptions = {
  readonly algorithm?: 'ES256' | 'RS256'
  /** Where the roles are in its tokens, a path. */
  readonly rolesClaim?: string
  readonly lifetimeSeconds?: number
  /** For one that is reached under another name than it listens at. */
  readonly port?: number
  /** What it says of itself besides. */
  readonly metadata?: (url: string) => object
  /** Answers what is neither discovery nor keys; false for what it knows nothing of. */
  readonly serve?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
}

/** `{ a: { b: value } }` for `a.b`. */
const nested = (path: string, value: unknown): Record<string, unknown> => {
  const [name = '', ...rest] = path.split('.')
  return { [name]: rest.length === 0 ? value : nested(rest.join('.'), value) }
}

const pemOf = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString()

export const startIssuer = async (options: IssuerOptions = {}) => {
  const { algorithm = 'ES256', rolesClaim = 'roles', lifetimeSeconds = 600 } = options
  let current = newKeyPair(algorithm)
  const capabilityKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  let keyRequests = 0

  const server = createServer(async (request, response) => {
    const answers: Record<string, () => unknown> = {
      '/.well-known/openid-configuration': () => ({
        issuer: url,
        jwks_uri: `${url}/keys`,
        ...options.metadata?.(url),
      }),
      '/keys': async () => {
        keyRequests += 1
        return { keys: [{ ...(await exportJWK(current.publicKey)), kid: current.kid, alg: algorithm, use: 'sig' }] }
      },
    }
    const answer = await answers[request.url ?? '']?.()
    if (!answer && (await options.serve?.(request, response))) return
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}))
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  // It may go and come back: not a port that the system gives to others meanwhile.
  const port = await listen(options.port ?? (await freePort()))
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    if (!server.listening) return
    server.closeAllConnections()
    await once(server.close(), 'close')
  }

  const sign = (claims: object, header: Partial<JWTHeaderParameters>, key: KeyObject | Uint8Array) =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg: algorithm, typ: 'at+jwt', ...header }).sign(key)
  const now = () => Math.floor(Date.now() / 1_000)

  return {
    url,
    /** What a service is told to trust it. */
    env: {
      OIDC_ISSUER: url,
      OIDC_AUDIENCE: audience,
      OIDC_ROLES_CLAIM: rolesClaim,
      CAPABILITY_PUBLIC_KEYS: pemOf(capabilityKeys.publicKey),
    },
    /** What the gateway signs capabilities with. */
    capabilityPrivateKey: pemOf(capabilityKeys.privateKey),
    publicKey: () => current.publicKey,
    /** Of the same kind, and not the issuer's. */
    strangeKey: () => newKeyPair(algorithm).privateKey,
    keyRequests: () => keyRequests,
    /** From now on it signs with other keys. */
    rotate: () => {
      current = newKeyPair(algorithm)
    },
    stop,
    /** Again at the same address. */
    start: async () => void (await listen(port)),

    tokenOf: ({
      sub = 'alice',
      roles = [],
      scopes = [],
      clientId = 'headwater-web',
      ...changes
    }: TokenOptions = {}) => {
      const claims = {
        iss: url,
        aud: audience,
        sub,
        client_id: clientId,
        jti: randomUUID(),
        iat: now(),
        exp: now() + lifetimeSeconds,
        ...(scopes.length > 0 && { scope: scopes.join(' ') }),
        ...(roles.length > 0 && nested(rolesClaim, roles)),
        ...changes.claims,
      }
      return sign(claims, { kid: current.kid, ...changes.header }, changes.key ?? current.privateKey)
    },
    /** A partner's token, as got by client credentials. */
    partnerTokenOf: function (client: string, scopes: readonly string[]) {
      return this.tokenOf({ sub: client, clientId: client, scopes })
    },
    /** As the gateway makes it for who applied without an account. */
    capabilityOf: (loanId: string, changes: Pick<TokenOptions, 'claims' | 'header' | 'key'> = {}) => {
      const name = `loan:${loanId}`
      const claims = { iss: capabilityIssuer, aud: audience, sub: name, scope: name, iat: now(), exp: now() + 600 }
      return sign(
        { ...claims, ...changes.claims },
        { alg: 'ES256', ...changes.header },
        changes.key ?? capabilityKeys.privateKey,
      )
    },
  }
}

/** As a service that is told `env` makes it. */
export const authenticatorOf = (env: Record<string, string>) =>
  createAuthenticator(parseConfig(z.object(authSettings), env), createLogger({ service: 'test', level: 'silent' }))

export type TestIssuer = Awaited<ReturnType<typeof startIssuer>>
