// The clients of the issuer: applications that people sign in to, and partners with credentials of their own.
import type { ClientMetadata } from 'oidc-provider'
import { z } from 'zod'

const secretLengthMin = 24

/** What an operator says about a client. */
const client = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9._-]{3,100}$/, '3 to 100 letters, digits, dots, dashes or underscores'),
  secret: z.string().min(secretLengthMin),
  /** Where people come back to, signed in; none for a partner. */
  redirectUris: z.array(z.url()).default([]),
  /** Where people come back to, signed out. */
  postLogoutRedirectUris: z.array(z.url()).default([]),
  /** What it may ask for by its own credentials; none for an application of people. */
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/)).default([]),
})

export type Client = z.infer<typeof client>

const uniqueIds = z.refine<Client[]>(
  (clients) => new Set(clients.map(({ id }) => id)).size === clients.length,
  'two clients have the same id',
)

export const clients = z.array(client).check(uniqueIds)

/** The one client that is part of the issuer: its own account page, which needs to know who is there and no token. */
export const accountClientId = 'headwater-account'

/** What the provider is told about a client. */
export const clientMetadata = ({
  id,
  secret,
  redirectUris,
  postLogoutRedirectUris,
  scopes,
}: Client): ClientMetadata => ({
  client_id: id,
  client_secret: secret,
  redirect_uris: redirectUris,
  post_logout_redirect_uris: postLogoutRedirectUris,
  response_types: redirectUris.length > 0 ? ['code'] : [],
  grant_types: [
    ...(redirectUris.length > 0 ? ['authorization_code', 'refresh_token'] : []),
    ...(scopes.length > 0 ? ['client_credentials'] : []),
  ],
})

export const accountClient = (accountUrl: string): ClientMetadata => ({
  client_id: accountClientId,
  redirect_uris: [accountUrl],
  response_types: ['none'],
  grant_types: [],
  token_endpoint_auth_method: 'none',
})

/** Where forms of ours may lead in the end: browsers check every step of a redirection. */
export const originsOf = (all: readonly Client[]): readonly string[] => [
  ...new Set(
    all.flatMap(({ redirectUris, postLogoutRedirectUris }) =>
      [...redirectUris, ...postLogoutRedirectUris].map((uri) => new URL(uri).origin),
    ),
  ),
]
