// Sends a signed message to an address that somebody outside has named: to the open Internet only, bounded in every way.
import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, buildConnector, request } from 'undici'
import { isPublicAddress } from './public-address.ts'
import { signedHeaders } from './webhook-signature.ts'

const connectTimeoutMs = 3_000
/** From the call to the head of the answer, the name's look-up included. The rest of the answer is not read. */
const answerTimeoutMs = 10_000
const answerHeadBytesMax = 16 * 1024
const urlCharactersMax = 2_000
/** The port that our network lets out. */
const httpsPort = ''

export type Message = { readonly url: string; readonly id: string; readonly body: string }

/** The status is all of the answer that anybody is told: what stands behind an address is its owner's. */
export type Outcome =
  | { readonly delivered: true; readonly status: number }
  | { readonly delivered: false; readonly status: number | null; readonly error: string }

export type WebhookSender = {
  /** Why nothing can be sent to `url`, if that can be seen by looking at it. */
  readonly urlError: (url: string) => string | undefined
  readonly send: (message: Message, secrets: readonly string[]) => Promise<Outcome>
  readonly close: () => Promise<void>
}

type Resolve = (host: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void

export type WebhookSenderOptions = {
  /** Also http, any port, and addresses of one's own machine and network: for development. */
  readonly allowPrivate: boolean
  readonly resolve?: Resolve
}

class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly code = 'address_not_public'
}

const bySystem: Resolve = (host, done) => lookup(host, { all: true }, done)

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1')

/** Looks names up, and gives no address unless all are public: what is connected to is what was looked at. */
const publicLookup =
  (resolve: Resolve): LookupFunction =>
  (host, options, done) => {
    resolve(host, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) return done(error ?? new Error(`no address of ${host}`), '')
      if (!addresses.every(({ address }) => isPublicAddress(address))) return done(new AddressRefused(host), '')
      if (options.all) return done(null, [...addresses])
      done(null, first.address, first.family)
    })
  }

/** An address that needs no look-up is looked at all the same. */
const publicConnector = (resolve: Resolve): buildConnector.connector => {
  const connect = buildConnector({ timeout: connectTimeoutMs, lookup: publicLookup(resolve) })
  return (options, done) => {
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(host) && !isPublicAddress(host)) return done(new AddressRefused(host), null)
    connect(options, done)
  }
}

/** The error's code and never its text, which may hold what was answered. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'failed'
  if (error.name === 'TimeoutError') return `no answer within ${answerTimeoutMs / 1_000} s`
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

export const openWebhookSender = ({ allowPrivate, resolve = bySystem }: WebhookSenderOptions): WebhookSender => {
  const dispatcher = new Agent({
    connect: allowPrivate ? { timeout: connectTimeoutMs } : publicConnector(resolve),
    // A connection a message: the address is looked at each time.
    pipelining: 0,
    maxHeaderSize: answerHeadBytesMax,
    headersTimeout: answerTimeoutMs,
  })

  const urlError = (text: string): string | undefined => {
    if (text.length > urlCharactersMax || !URL.canParse(text))
      return `an address of at most ${urlCharactersMax} characters`
    const url = new URL(text)
    if (url.username || url.password || url.hash) return 'an address without user, password and fragment'
    if (allowPrivate) return ['http:', 'https:'].includes(url.protocol) ? undefined : 'an https address'
    if (url.protocol !== 'https:' || url.port !== httpsPort) return 'an https address on port 443'
    return isIP(hostOf(url)) && !isPublicAddress(hostOf(url)) ? 'a public address' : undefined
  }

  return {
    urlError,
    send: async ({ url, id, body }, secrets) => {
      const refused = urlError(url)
      if (refused) return { delivered: false, status: null, error: `not ${refused}` }
      try {
        // Redirects are answers like any other: not followed.
        const { statusCode: status, body: answer } = await request(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...signedHeaders({ id, body }, secrets, new Date()) },
          body,
          signal: AbortSignal.timeout(answerTimeoutMs),
          dispatcher,
        })
        answer.on('error', () => undefined).destroy()
        if (status >= 200 && status < 300) return { delivered: true, status }
        return { delivered: false, status, error: `answered ${status}` }
      } catch (error) {
        return { delivered: false, status: null, error: reasonOf(error) }
      }
    },
    close: () => dispatcher.destroy(),
  }
}
