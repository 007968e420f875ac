// Looks people up in the directory, within limits: identity, or the gateway where another issuer knows the people.
import { Rejection } from '@headwater/deciders/decider'
import { createBreaker } from '@headwater/http-kit/outbound/breaker'
import { findPersonPath, foundPerson, type KnownPerson } from '@headwater/http-kit/server/people-server'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { Pool } from 'undici'

/** From the call to the last byte of the answer, connecting included. */
const answerTimeoutMsDefault = 2_000
const answerBytesMax = 16 * 1_024
const connectionsMax = 32

/** Whether there is such a person is not known. */
export class DirectoryUnavailable extends Rejection {
  constructor(cause: unknown) {
    super(
      'directory_unavailable',
      'Who there is cannot be looked up at the moment. Nothing was changed; try again soon.',
    )
    this.cause = cause
  }
}

export type Directory = {
  /** Undefined where there is no such person now. @throws DirectoryUnavailable */
  readonly find: (id: string, traceparent: string) => Promise<KnownPerson | undefined>
  /** It failed repeatedly and is not asked for now. */
  readonly isGivenUp: () => boolean
  readonly close: () => Promise<void>
}

export type DirectoryOptions = {
  readonly url: string
  /** The key that the directory expects of its callers. */
  readonly key: string
  readonly logger: Logger
  readonly answerTimeoutMs?: number
}

export const connectDirectory = ({
  url,
  key,
  logger,
  answerTimeoutMs = answerTimeoutMsDefault,
}: DirectoryOptions): Directory => {
  const pool = new Pool(new URL(url).origin, { connections: connectionsMax, maxResponseSize: answerBytesMax })
  const breaker = createBreaker(() => performance.now())

  const ask = async (id: string, traceparent: string): Promise<KnownPerson | undefined> => {
    const { statusCode, body } = await pool.request({
      method: 'POST',
      path: findPersonPath,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, traceparent },
      body: JSON.stringify({ id }),
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    if (statusCode !== 200) {
      await body.dump()
      throw new Error(`The directory of people answered ${statusCode}.`)
    }
    return foundPerson.parse(await body.json()).person ?? undefined
  }

  return {
    find: async (id, traceparent) => {
      try {
        return await breaker.call(() => ask(id, traceparent))
      } catch (error) {
        logger.warn({ traceparent, err: error }, 'the directory of people gave no answer')
        throw new DirectoryUnavailable(error)
      }
    },
    isGivenUp: breaker.isOpen,
    close: () => pool.destroy(),
  }
}
