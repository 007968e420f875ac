// Tells the consent service at sign-in where news for the person is sent. Not forwarded from outside: only the issuer's word counts.
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { Pool } from 'undici'

const connectionsMax = 4
/** Signing in does not wait longer for it; the next sign-in tells it again. */
const answerTimeoutMs = 1_000

export const connectContacts = (consentUrl: string, logger: Logger) => {
  const pool = new Pool(new URL(consentUrl).origin, { connections: connectionsMax })
  const register = async (email: string, accessToken: string): Promise<void> => {
    try {
      const answer = await pool.request({
        method: 'POST',
        path: '/api/consents/contact',
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
