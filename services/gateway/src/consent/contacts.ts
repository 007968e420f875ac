// Tells the consent service at sign-in where news for the person is sent. Not forwarded from outside: only the issuer's word counts.
import { consentApi } from '@headwater/deciders/consent/api'
import { consent } from '@headwater/deciders/consent/context'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { Pool } from 'undici'
import type { ServiceUrls } from '../forwarding/commands.ts'

const connectionsMax = 4
/** Signing in does not wait longer for it; the next sign-in tells it again. */
const answerTimeoutMs = 1_000

const { path } = consentApi.commands.contact

export const connectContacts = (serviceUrls: ServiceUrls, logger: Logger) => {
  const pool = new Pool(new URL(path, serviceUrls[consent.service.name]).origin, { connections: connectionsMax })
  const register = async (email: string, accessToken: string): Promise<void> => {
    try {
      const answer = await pool.request({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
        body: JSON.stringify({ email }),
        signal: AbortSignal.timeout(answerTimeoutMs),
      })
      await answer.body.dump()
      if (answer.statusCode !== 200) logger.warn({ status: answer.statusCode }, 'an address was not taken')
    } catch (error) {
      logger.warn({ err: error }, 'an address could not be told to the consent service')
    }
  }
  return { register, close: () => pool.close() }
}
