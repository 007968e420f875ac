// The tests' issuer with a sign-in page that asks nothing: whoever the test names is signed in there.
import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { startIssuer } from '@headwater/test-kit/issuer'

type Person = { readonly sub: string; readonly name?: string; readonly roles?: readonly string[] }

const clientId = 'headwater-gateway'
const clientSecret = 'not a secret'

const formOf = async (request: IncomingMessage): Promise<URLSearchParams> => {
  let text = ''
  for await (const chunk of request) text += chunk
  return new URLSearchParams(text)
}

const isOurClient = ({ headers }: IncomingMessage): boolean => {
  const basic = Buffer.from((headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
  const [id, secret] = basic.split(':').map((part) => decodeURIComponent(part.replaceAll('+', ' ')))
  return id === clientId && secret === clientSecret
}

export const startSignInIssuer = async ({ endSession = true } = {}) => {
  let person: Person = { sub: 'uma', name: 'Uma Underwriter', roles: ['underwriter'] }
  const codes = new Map<string, { readonly query: URLSearchParams; readonly person: Person }>()
  const refreshTokens = new Map<string, Person>()
  const counts = { refreshes: 0 }
  /** What it does otherwise than it should. */
  const manner = {
    lifetimeSeconds: 600,
    opaque: false,
    refreshes: true,
    nonce: undefined as string | undefined,
    /** Refreshing waits for this. */
    pause: undefined as Promise<void> | undefined,
  }

  const answerOf = async (whose: Person, nonce: string | null) => {
    const refreshToken = randomUUID()
    refreshTokens.set(refreshToken, whose)
    const { sub, roles = [], name } = whose
    const claims = { exp: Math.floor(Date.now() / 1_000) + manner.lifetimeSeconds }
    const about = { aud: clientId, nonce: manner.nonce ?? nonce ?? undefined, ...(name !== undefined && { name }) }
    return {
      access_token: manner.opaque ? randomUUID() : await issuer.tokenOf({ sub, roles, clientId, claims }),
      id_token: await issuer.tokenOf({ sub, claims: about, header: { typ: 'JWT' } }),
      token_type: 'Bearer',
      expires_in: manner.lifetimeSeconds,
      refresh_token: refreshToken,
    }
  }

  const grant = async (form: URLSearchParams): Promise<object | undefined> => {
    if (form.get('grant_type') === 'refresh_token') {
      counts.refreshes += 1
      await manner.pause
      const token = form.get('refresh_token') ?? ''
      const whose = refreshTokens.get(token)
      // Each is good for once.
      refreshTokens.delete(token)
      return whose && manner.refreshes ? answerOf(whose, null) : undefined
    }
    const code = form.get('code') ?? ''
    const begun = codes.get(code)
    codes.delete(code)
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const { query } = begun ?? { query: new URLSearchParams() }
    const right =
      query.get('code_challenge') === challenge &&
      query.get('code_challenge_method') === 'S256' &&
      query.get('redirect_uri') === form.get('redirect_uri')
    return begun && right ? answerOf(begun.person, query.get('nonce')) : undefined
  }

  const issuer = await startIssuer({
    metadata: (url) => ({
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      ...(endSession && { end_session_endpoint: `${url}/sign-out` }),
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      id_token_signing_alg_values_supported: ['ES256'],
    }),
    serve: async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://issuer')
      if (pathname === '/authorize') {
        const code = randomUUID()
        codes.set(code, { query: searchParams, person })
        const back = new URL(searchParams.get('redirect_uri') ?? '')
        back.search = String(new URLSearchParams({ code, state: searchParams.get('state') ?? '' }))
        response.writeHead(303, { location: back.href }).end()
        return true
      }
      if (pathname === '/sign-out') {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Signed out at the issuer</h1>')
        return true
      }
      if (pathname !== '/token') return false
      const form = await formOf(request)
      const json = { 'content-type': 'application/json' }
      const known = isOurClient(request)
      const granted = known ? await grant(form) : undefined
      if (granted) response.writeHead(200, json).end(JSON.stringify(granted))
      else response.writeHead(400, json).end(JSON.stringify({ error: known ? 'invalid_grant' : 'invalid_client' }))
      return true
    },
  })

  return {
    ...issuer,
    env: { ...issuer.env, OIDC_CLIENT_SECRET: clientSecret, CAPABILITY_PRIVATE_KEY: issuer.capabilityPrivateKey },
    /** Who is signed in from now on. */
    is: (who: Person) => {
      person = who
    },
    manner,
    counts,
  }
}
