// Speaks OpenID Connect to the issuer: where to sign in, what a code is worth, fresh tokens, where to sign out.
import { email as emailField, name as nameField, personId } from '@headwater/deciders/fields'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { decodeJwt, errors } from 'jose'
import * as oidc from 'openid-client'
import type { Person, Refresh, Tokens } from './sessions.ts'

/** Of one request to the issuer. */
const answerTimeoutSeconds = 4
/** Until an issuer that did not answer is tried again. */
const retryAfterMs = 1_000

export type SignInSettings = {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scopes: string
  readonly publicUrl: URL
}

/** What is remembered of a sign-in that has begun, until the issuer sends the person back. */
type Begun = { readonly state: string; readonly nonce: string; readonly verifier: string }

type Finished = {
  readonly person: Person
  readonly tokens: Tokens
  /** Only when the issuer says that it is the person's. */
  readonly email: string | undefined
}

export type SignInIssuer = {
  /** @throws Problem 503 */
  readonly begin: () => Promise<{ readonly url: URL; readonly begun: Begun }>
  /** @throws Problem 400 when the issuer or the browser brought nothing that is worth a session, 503 */
  readonly finish: (callback: URL, begun: Begun) => Promise<Finished>
  readonly refresh: Refresh
  /** Where the issuer signs people out, when it says so. @throws Problem 503 */
  readonly signOutUrl: () => Promise<URL | undefined>
}

const unavailable = () =>
  new Problem(503, 'issuer_unavailable', 'Signing in is not possible at the moment. Try again in a while.')

/** What came back is not of this sign-in, or is no longer worth anything. */
const refusedCodes: readonly unknown[] = [
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_INVALID_REQUEST',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
]
const isRefused = (error: unknown): boolean =>
  error instanceof oidc.AuthorizationResponseError ||
  (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') ||
  (error instanceof oidc.ClientError && refusedCodes.includes(error.code))

/** An issuer need not say how long a token lives: the token itself does. */
const lifetimeOf = (token: string): number => {
  try {
    const { exp = 0, iat = 0 } = decodeJwt(token)
    return Math.max(exp - iat, 0)
  } catch (error) {
    if (error instanceof errors.JOSEError) return 0
    throw error
  }
}

const tokensOf = (answer: oidc.TokenEndpointResponse): Tokens => ({
  accessToken: answer.access_token,
  refreshToken: answer.refresh_token,
  lifetimeSeconds: answer.expires_in ?? lifetimeOf(answer.access_token),
})

export const connectSignInIssuer = (settings: SignInSettings, logger: Logger): SignInIssuer => {
  const { publicUrl } = settings
  let found: Promise<oidc.Configuration> | undefined
  let failedAtMs = Number.NEGATIVE_INFINITY

  const discover = async (): Promise<oidc.Configuration> => {
    const issuer = new URL(settings.issuer)
    // Without TLS only where somebody said so by its address: a stand-in on one's own machine.
    const execute = issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : []
    const { clientId, clientSecret } = settings
    const options = { execute, timeout: answerTimeoutSeconds }
    return oidc.discovery(issuer, clientId, clientSecret, oidc.ClientSecretBasic(clientSecret), options)
  }
  const configuration = async (): Promise<oidc.Configuration> => {
    if (!found && performance.now() - failedAtMs < retryAfterMs) throw unavailable()
    found ??= discover()
    try {
      return await found
    } catch (error) {
      found = undefined
      failedAtMs = performance.now()
      logger.error({ err: error, issuer: settings.issuer }, 'the issuer does not say how to sign in there')
      throw unavailable()
    }
  }

  /** Name and verified address in our format, from the ID token or, if missing there, from the issuer's userinfo. */
  const about = async (config: oidc.Configuration, answer: oidc.TokenEndpointResponse, claims: oidc.IDToken) => {
    const nameIn = (from: typeof claims | oidc.UserInfoResponse) =>
      nameField.safeParse(from.name).data ?? nameField.safeParse(from.preferred_username).data
    const emailIn = (from: typeof claims | oidc.UserInfoResponse) =>
      from.email_verified === true ? emailField.safeParse(from.email).data : undefined
    const own = { name: nameIn(claims), email: emailIn(claims) }
    if (own.name !== undefined || config.serverMetadata().userinfo_endpoint === undefined) return own
    const more = await oidc.fetchUserInfo(config, answer.access_token, claims.sub)
    return { name: nameIn(more), email: own.email ?? emailIn(more) }
  }

  return {
    begin: async () => {
      const config = await configuration()
      const begun = {
        state: oidc.randomState(),
        nonce: oidc.randomNonce(),
        verifier: oidc.randomPKCECodeVerifier(),
      }
      const url = oidc.buildAuthorizationUrl(config, {
        redirect_uri: new URL('/auth/callback', publicUrl).href,
        scope: settings.scopes,
        state: begun.state,
        nonce: begun.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
        code_challenge_method: 'S256',
      })
      return { url, begun }
    },
    finish: async (callback, { state, nonce, verifier }) => {
      const config = await configuration()
      try {
        const answer = await oidc.authorizationCodeGrant(config, callback, {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        })
        const claims = answer.claims()
        if (!claims) throw new Error('the issuer gave no id token')
        const { name, email } = await about(config, answer, claims)
        return {
          person: { sub: personId.safeParse(claims.sub).data ?? claims.sub, name },
          tokens: tokensOf(answer),
          email,
        }
      } catch (error) {
        if (!isRefused(error)) {
          logger.error({ err: error }, 'the issuer does not answer as it should')
          throw unavailable()
        }
        throw new Problem(400, 'sign_in_failed', 'Signing in did not work.')
      }
    },
    refresh: async (refreshToken) => {
      const config = await configuration()
      try {
        return tokensOf(await oidc.refreshTokenGrant(config, refreshToken))
      } catch (error) {
        if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') return undefined
        logger.error({ err: error }, 'the issuer refreshes no tokens')
        throw unavailable()
      }
    },
    signOutUrl: async () => {
      const config = await configuration()
      if (config.serverMetadata().end_session_endpoint === undefined) return undefined
      return oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: new URL('/', publicUrl).href })
    },
  }
}
