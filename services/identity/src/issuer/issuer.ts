// The OpenID Connect issuer: what the library is told about our people, clients, tokens and pages.
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { JWK } from 'jose'
import Provider, { type Configuration, errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { failedPage } from '../pages/failed.ts'
import { signedOutPage, signOutPage } from '../pages/signed-out.ts'
import type { Users } from '../users/users.ts'
import { accountClient, type Client, clientMetadata } from './clients.ts'
import type { Records } from './records.ts'
import { signingAlgorithm } from './signing-keys.ts'

const accessTokenSeconds = 10 * 60
const codeSeconds = 60
/** For somebody to sign in or register once they were asked to. */
const interactionSeconds = 60 * 60
/** As long as a session of the gateway may last at most. */
const sessionSeconds = 12 * 60 * 60

/** Our API as a resource (RFC 8707), which must be named by a URI; its audience is what services know. */
const api = 'urn:headwater:api'

export type IssuerOptions = {
  readonly issuer: string
  readonly audience: string
  readonly clients: readonly Client[]
  readonly users: Users
  readonly records: Records
  readonly signingKeys: readonly JWK[]
  /** Whether people's addresses may be taken for theirs without a mail that they answered. */
  readonly trustsEmails: boolean
  readonly cookieKeys: readonly string[]
  readonly logger: Logger
}

/** All clients are ours or were let in by an operator: whoever signs in to one is not asked again whether they meant it. */
const grantOf = async (ctx: KoaContextWithOIDC) => {
  const { client, session, provider } = ctx.oidc
  if (!client || !session?.accountId) return undefined
  const id = session.grantIdFor(client.clientId)
  const found = id === undefined ? undefined : await provider.Grant.find(id)
  const grant = found ?? new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  grant.addOIDCScope('openid profile email offline_access')
  await grant.save()
  return grant
}

const withoutConsent = () => {
  const policy = interactionPolicy.base()
  policy.remove('consent')
  return policy
}

export const createIssuer = (options: IssuerOptions): Provider => {
  const { issuer, audience, clients, users, records, signingKeys, trustsEmails, cookieKeys, logger } = options
  const scopesOf = new Map(clients.map(({ id, scopes }) => [id, scopes.join(' ')]))
  const secure = issuer.startsWith('https:')
  const cookie = { httpOnly: true, sameSite: 'lax', secure, signed: true, overwrite: true } as const

  const configuration: Configuration = {
    adapter: records.adapter,
    jwks: { keys: [...signingKeys] as NonNullable<Configuration['jwks']>['keys'] },
    clients: [...clients.map(clientMetadata), accountClient(new URL('/account', issuer).href)],
    // The default, RS256, fails for every client of keys like ours.
    clientDefaults: { id_token_signed_response_alg: signingAlgorithm },
    enabledJWA: { idTokenSigningAlgValues: [signingAlgorithm] },
    responseTypes: ['code', 'none'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    claims: { openid: ['sub', 'name'], profile: ['name'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    cookies: {
      keys: [...cookieKeys],
      names: {
        // Of this host alone, where browsers can hold it to that.
        session: secure ? '__Host-identity_session' : 'identity_session',
        interaction: 'identity_interaction',
        resume: 'identity_resume',
      },
      long: cookie,
      short: cookie,
    },
    routes: {
      authorization: '/oidc/authorize',
      token: '/oidc/token',
      jwks: '/oidc/keys',
      end_session: '/oidc/sign-out',
      revocation: '/oidc/revoke',
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      dPoP: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => api,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource, client) => {
          if (resource !== api) throw new errors.InvalidTarget()
          return {
            audience,
            scope: scopesOf.get(client.clientId) ?? '',
            accessTokenTTL: accessTokenSeconds,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: signingAlgorithm } },
          }
        },
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = signOutPage(form)
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = signedOutPage()
        },
      },
    },
    ttl: {
      AccessToken: accessTokenSeconds,
      ClientCredentials: accessTokenSeconds,
      IdToken: accessTokenSeconds,
      AuthorizationCode: codeSeconds,
      Interaction: interactionSeconds,
      Session: sessionSeconds,
      Grant: sessionSeconds,
      RefreshToken: sessionSeconds,
    },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: () => true,
    loadExistingGrant: grantOf,
    interactions: { policy: withoutConsent(), url: (_ctx, { uid }) => `/sign-in/${uid}` },
    // Asked for every token, also on refresh: whoever is disabled gets none.
    findAccount: async (_ctx, userId) => {
      const user = await users.find(userId)
      if (!user) return undefined
      const { name, email } = user
      return { accountId: userId, claims: async () => ({ sub: userId, name, email, email_verified: trustsEmails }) }
    },
    extraTokenClaims: async (_ctx, token) => {
      if (token.kind !== 'AccessToken') return undefined
      const user = await users.find(token.accountId)
      return user && { name: user.name, roles: user.roles }
    },
    renderError: (ctx, out) => {
      ctx.type = 'html'
      ctx.body = failedPage({
        title: 'This did not work',
        text: 'The link that brought you here is not right, or too old. Go back to where you came from and try again.',
        detail: out.error,
      })
    },
  }

  const provider = new Provider(issuer, configuration)
  provider.proxy = true
  provider.on('server_error', (_ctx, error) => logger.error({ err: error }, 'the issuer failed'))
  return provider
}
