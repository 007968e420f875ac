// Who sends a request to the gateway: a bearer token, or else what the browser's cookies hold, or else nobody.
import { anonymous } from '@headwater/deciders/policy'
import { type Authenticator, bearerCredentials, type CredentialsOf } from '@headwater/http-kit/auth'

/** @param fromCookies the session first, as a person is more than the holder of a link */
export const gatewayCredentials = (authenticator: Authenticator, fromCookies: CredentialsOf): CredentialsOf => {
  const fromBearer = bearerCredentials(authenticator)
  return async (request) => {
    if (request.headers.authorization !== undefined) return fromBearer(request)
    const held = await fromCookies(request)
    return held.some(({ actor }) => actor.kind === 'person') ? held : [...held, { actor: anonymous }]
  }
}
