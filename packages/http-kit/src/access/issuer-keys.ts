// The keys of the identity provider: found where it says they are, kept, and asked for again when it signs with others.
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { PartStatus } from '../server/part-status.ts'
import type { Logger } from '../telemetry/telemetry.ts'

const answerTimeoutMs = 3_000
/** Between two looks for a key that is not known: anybody can send tokens that name one. */
const unknownKeyCooldownMs = 60_000
/** A key that the issuer withdraws is not trusted for longer. */
const keysAgeMsMax = 10 * 60_000
/** Between two tries to reach an issuer that does not answer. */
const retryAfterMs = 1_000

/** The issuer's keys are not known, and it cannot be asked for them now. */
export class IssuerUnavailable extends Error {
  override readonly name = 'IssuerUnavailable'
}

/** No key of this name was known when the issuer was asked last; it is too early to ask again. */
export class KeyNotAskedFor extends errors.JWKSNoMatchingKey {}

export type Issuer = {
  /** @throws IssuerUnavailable, KeyNotAskedFor */
  readonly keyOf: JWTVerifyGetKey
  readonly status: () => Promise<PartStatus>
}

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url() })

const discover = async (issuer: string) => {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const answer = await fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs), redirect: 'error' })
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`)
  const metadata = discovered.parse(await answer.json())
  if (metadata.issuer !== issuer) throw new Error(`${url} is of the issuer ${metadata.issuer}`)
  return createRemoteJWKSet(new URL(metadata.jwks_uri), {
    timeoutDuration: answerTimeoutMs,
    cooldownDuration: unknownKeyCooldownMs,
    cacheMaxAge: keysAgeMsMax,
  })
}

type RemoteKeys = Awaited<ReturnType<typeof discover>>

export const connectIssuer = (issuer: string, logger: Logger): Issuer => {
  let keys: RemoteKeys | undefined
  let finding: Promise<RemoteKeys> | undefined
  let trouble: string | undefined
  /** By `performance.now()`. */
  let triedAtMs = 0

  const unavailable = (error: unknown): IssuerUnavailable => {
    const { message, cause } = error instanceof Error ? error : new Error(String(error))
    const reason = cause instanceof Error ? `${message} (${cause.message})` : message
    if (trouble === undefined) logger.warn({ issuer, err: error }, 'the issuer of tokens cannot be reached')
    trouble = `The issuer ${issuer} cannot be reached: ${reason}. Whoever signed in is not recognised.`
    triedAtMs = performance.now()
    return new IssuerUnavailable(trouble)
  }
  const reached = () => {
    if (trouble !== undefined) logger.info({ issuer }, 'the issuer of tokens is reached again')
    trouble = undefined
  }

  const findKeys = async (): Promise<RemoteKeys> => {
    if (keys) return keys
    if (trouble !== undefined && performance.now() - triedAtMs < retryAfterMs) throw new IssuerUnavailable(trouble)
    finding ??= discover(issuer)
      .then(async (found) => {
        await found.reload()
        keys = found
        reached()
        return found
      })
      .catch((error: unknown) => {
        throw unavailable(error)
      })
      .finally(() => {
        finding = undefined
      })
    return finding
  }

  /** Keys that were true a moment ago serve on while the issuer is away; a key that is none of them waits for it. */
  const knownKey = async (
    remote: RemoteKeys,
    [header, token]: Parameters<JWTVerifyGetKey>,
    reason: IssuerUnavailable,
  ) => {
    const known = remote.jwks()
    if (!known) throw reason
    return createLocalJWKSet(known)(header, token).catch(() => {
      throw reason
    })
  }

  const isAboutToken = (error: unknown) =>
    error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys

  return {
    keyOf: async (header, token) => {
      const remote = await findKeys()
      const isTooEarly = remote.coolingDown
      try {
        const key = await remote(header, token)
        reached()
        return key
      } catch (error) {
        if (isTooEarly && error instanceof errors.JWKSNoMatchingKey) throw new KeyNotAskedFor()
        if (isAboutToken(error)) throw error
        return knownKey(remote, [header, token], unavailable(error))
      }
    },
    status: async () => {
      try {
        const remote = await findKeys()
        if (!remote.fresh) await remote.reload().then(reached, (error: unknown) => unavailable(error))
      } catch (error) {
        if (!(error instanceof IssuerUnavailable)) throw error
      }
      return { trouble }
    },
  }
}
