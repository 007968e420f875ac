// As whom a request may act: its bearer token, or else whatever its cookies stand for.
import { anonymous } from '@headwater/deciders/policy'
import { type Authenticator, type Credential as Bearer, bearerToken, tokenEndMs } from '@headwater/http-kit/access/auth'
import type { FastifyRequest } from 'fastify'

export type Credential = Bearer & {
  /** The session it comes from, whose end is its own. */
  readonly session?: string
  /** When it ends by itself, in ms since 1970; a session's credentials end with the session. */
  readonly endsAtMs?: () => number
}

/** What requests may carry beside bearer tokens, such as the cookie of a session. */
export type CredentialSource = (request: FastifyRequest) => Promise<readonly Credential[]>

/** In the order in which they are tried; the first that a policy allows is used. */
export type GatewayCredentials = (request: FastifyRequest) => Promise<readonly Credential[]>

export const createCredentials =
  (authenticator: Authenticator, sources: readonly CredentialSource[]): GatewayCredentials =>
  async (request) => {
    const token = bearerToken(request)
    // Whoever sends a token means it: cookies that a browser adds by itself do not widen what it allows.
    if (token !== undefined)
      return [{ actor: await authenticator.actorOf(token), token, endsAtMs: () => tokenEndMs(token) }]
    const found: Credential[] = []
    for (const source of sources) found.push(...(await source(request)))
    // Who is signed in may do whatever nobody may; with a link alone one may still be told to sign in.
    return found.some(({ actor }) => actor.kind === 'person') ? found : [...found, { actor: anonymous }]
  }
