// The one question of hospital systems, on every view of a record: may this person see this part? Never yes on old knowledge.
import { consentQueryRules } from '@headwater/deciders/consent/consent-policy'
import { granteeInput } from '@headwater/deciders/consent/patient'
import { target } from '@headwater/deciders/consent/patient-events'
import { personId } from '@headwater/deciders/fields'
import type { Audit } from '@headwater/eventstore/audit'
import { formatPosition } from '@headwater/eventstore/position'
import { streamName } from '@headwater/eventstore/stream-name'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Currency } from '@headwater/projections/freshness/freshness'
import { hasConsent, permissionsBetween } from '@headwater/read-models/consent/consents'
import { z } from 'zod'
import { problemAnswer } from '../answers.ts'
import { countChecks } from './checks-counted.ts'

/** The answer that it is not known is there within 2 s, the way to it included. */
export const checkWaitMsDefault = 1_800

// In a body, so that nobody's name stands in an address and so in somebody's log.
export const question = z.strictObject({
  patientId: personId.meta({ description: 'Whose record.' }),
  grantee: granteeInput.meta({ description: 'Who wants to see it, and in which role.' }),
  target: target.default('all').meta({ description: 'Which part; `all` is every part.' }),
})

export const answer = z.object({
  hasConsent: z.boolean(),
  at: z.iso.datetime().meta({ description: 'The moment for which this holds.' }),
})

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
  server.post(
    '/api/consents/check',
    {
      // A hospital asks at every view of a record, and is not to be kept from asking.
      config: { rules: consentQueryRules.check, isUnlimited: true },
      schema: {
        tags: ['consent'],
        summary: 'May this person see this part of the record, now?',
        description:
          'For partners with the scope `consents:check`. Answered only while it is certain that everything granted and revoked is known here; otherwise 503, and `knownAt` says up to when it is.',
        body: question,
        response: {
          200: answer,
          503: problemAnswer('What stands now is not known here. Nothing may be shown on the strength of this.'),
        },
      },
    },
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
  )
}
