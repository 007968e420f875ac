// Counts what partners ask about consents, a minute at a time, for the audit trail: each look is answered for, none is an event of its own.
import { type AuditedActor, type AuditedCheck, auditedActor } from '@headwater/deciders/audit/audit-events'
import type { Grantee, Target } from '@headwater/deciders/consent/patient-events'
import type { Actor } from '@headwater/deciders/policy'
import type { Audit } from '@headwater/eventstore/audit'
import { nextTraceparent } from '@headwater/http-kit/telemetry/telemetry'

const minuteMs = 60_000
/** Different ones; then the minute is told of in parts. So many fit the trail's buffer. */
const checksHeldMax = 20_000
/** Each is a row of the trail; an event of so many is far below what the store takes. */
const checksAnEventMax = 100

type Asked = { readonly patientId: string; readonly grantee: Grantee; readonly target: Target }

export type ChecksCounted = {
  readonly count: (partner: Actor, asked: Asked) => void
  /** Tells the trail what has been counted so far. */
  readonly flush: () => void
}

export const countChecks = (audit: Pick<Audit, 'note'>): ChecksCounted => {
  type Counted = { readonly actor: AuditedActor; readonly check: Asked; count: number }
  let counted = new Map<string, Counted>()
  let minute = 0
  let timer: NodeJS.Timeout | undefined

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    const at = new Date(minute * minuteMs).toISOString()
    const byActor = Map.groupBy(counted.values(), ({ actor }) => actor.sub)
    counted = new Map()
    for (const all of byActor.values()) {
      const [{ actor }] = all as [Counted]
      for (let from = 0; from < all.length; from += checksAnEventMax) {
        const checks = all
          .slice(from, from + checksAnEventMax)
          .map(({ check, count }): AuditedCheck => ({ ...check, count }))
        audit.note(
          { type: 'ConsentsChecked', data: { actor, at, checks } },
          { traceparent: nextTraceparent(undefined) },
        )
      }
    }
  }

  return {
    count: (partner, check) => {
      const now = Date.now()
      const current = Math.floor(now / minuteMs)
      if (counted.size > 0 && (current !== minute || counted.size === checksHeldMax)) flush()
      minute = current
      const { patientId, grantee, target } = check
      const key = JSON.stringify([partner.sub, patientId, grantee.kind, grantee.id, target])
      const known = counted.get(key)
      if (known) {
        known.count++
        return
      }
      const actor = auditedActor(partner)
      if (!actor) return
      counted.set(key, { actor, check, count: 1 })
      timer ??= setTimeout(flush, minuteMs - (now % minuteMs)).unref()
    },
    flush,
  }
}
