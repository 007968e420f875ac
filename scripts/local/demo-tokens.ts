// Access tokens of the demo people that `npm start` brings: signs them in as a browser would, form and all.
import * as oidc from 'openid-client'
import { demoClients, demoPassword } from '../../services/identity/src/users/demo.ts'

const redirectsMax = 10
/** A token is used so long before it ends. */
const marginSeconds = 60

type Cookies = Map<string, string>

/** Follows redirections inside the issuer, cookies kept, to a page or to where they lead out of it. */
const visit = async (issuer: string, target: string, cookies: Cookies, init: RequestInit = {}) => {
  let url = new URL(target, issuer)
  let request = init
  for (let redirects = 0; redirects < redirectsMax; redirects++) {
    if (url.origin !== new URL(issuer).origin) return { out: url, page: '' }
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { ...request, redirect: 'manual', headers: { ...request.headers, cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) return { out: undefined, page: await answer.text() }
    url = new URL(location, url)
    request = {}
  }
  throw new Error(`${issuer} redirects without end.`)
}

/** @throws when the issuer is not the demo's, or somebody changed the password */
const signIn = async (issuer: string, publicUrl: string, userName: string) => {
  const [application] = demoClients(publicUrl)
  const redirectUri = application?.redirectUris[0]
  if (!application || redirectUri === undefined) throw new Error('The demo has no application to sign in to.')
  const client = await oidc.discovery(new URL(issuer), application.id, application.secret, undefined, {
    execute: [oidc.allowInsecureRequests],
  })
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const begin = oidc.buildAuthorizationUrl(client, {
    redirect_uri: redirectUri,
    scope: 'openid profile',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  })
  const cookies: Cookies = new Map()
  const { page } = await visit(issuer, begin.href, cookies)
  const [, action] = /<form[^>]* action="([^"]+)"/.exec(page) ?? []
  if (action === undefined) throw new Error(`${issuer} shows no form to sign in with.`)
  const { out } = await visit(issuer, action, cookies, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ userName, password: demoPassword }),
  })
  if (!out) throw new Error(`${userName} is not signed in at ${issuer} with the demo's password.`)
  return oidc.authorizationCodeGrant(client, out, { pkceCodeVerifier: verifier, expectedState: state })
}

/** Gives the token of a demo person, a new one before the last ends. */
export const demoTokens = (issuer: string, publicUrl: string) => {
  const known = new Map<string, Promise<{ readonly token: string; readonly until: number }>>()
  const fresh = async (userName: string) => {
    const { access_token: token, expires_in: seconds = 0 } = await signIn(issuer, publicUrl, userName)
    return { token, until: Date.now() + (seconds - marginSeconds) * 1_000 }
  }
  return async (userName: string): Promise<string> => {
    const held = await known.get(userName)
    if (held && held.until > Date.now()) return held.token
    const signingIn = fresh(userName)
    known.set(userName, signingIn)
    return (await signingIn).token
  }
}
