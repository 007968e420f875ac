// The one question of hospital systems, on every view of a record: may this person see this part? Never yes on old knowledge.
import { consentApi } from '@headwater/deciders/consent/api'
import type { Audit } from '@headwater/eventstore/audit'
import { formatPosition } from '@headwater/eventstore/position'
import { streamName } from '@headwater/eventstore/stream-name'
import { Problem } from '@headwater/http-kit/commands/problem'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Currency } from '@headwater/projections/freshness/freshness'
import { hasConsent, permissionsBetween } from '@headwater/read-models/consent/consents'
import { countChecks } from './checks-counted.ts'

/** The answer that it is not known is there within 2 s, the way to it included. */
export const checkWaitMsDefault = 1_800

export type ConsentCheckOptions = {
  readonly currency: Currency
  readonly audit: Pick<Audit, 'note'>
  readonly waitMs?: number | undefined
}

export const registerConsentCheck = (
  server: HttpServer,
  { currency, audit, waitMs = checkWaitMsDefault }: ConsentCheckOptions,
): void => {
  const checks = countChecks(audit)
  server.addHook('onClose', async () => checks.flush())
  registerQuery(
    server,
    'consent',
    consentApi.queries.check,
    async ({ actor, body }, reply) => {
      const { patientId, grantee, target } = body
      reply.header('cache-control', 'no-store')
      const stream = streamName('patient', patientId)
      const found = await currency.read(
        (db) => (db.isParked(stream) ? undefined : db.rows(permissionsBetween(patientId, grantee))),
        waitMs,
      )
      // What could not be taken in may be what was revoked.
      if (!found?.value)
        throw new Problem(503, 'consent_unknown', 'Whether there is consent is not known at the moment.', {
          knownAt: currency.knownAt()?.toISOString() ?? null,
        })
      reply.header('headwater-position', formatPosition(found.checkpoint))
      checks.count(actor, body)
      // After waiting: a consent that has come to its end meanwhile is none.
      const at = new Date().toISOString()
      return { hasConsent: hasConsent(found.value, target, at), at }
    },
    // A hospital asks at every view of a record, and is not to be kept from asking.
    { isUnlimited: true },
  )
}
