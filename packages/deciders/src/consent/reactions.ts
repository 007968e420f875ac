// The jobs that follow from the events of a patient.
import { type Grantee, granteeKey, type PatientEvent, type Target } from './patient-events.ts'

/** - mail consent asked: mails the patient about the request, if an address is known */
type MailConsentAsked = {
  readonly kind: 'mail consent asked'
  readonly patientId: string
  readonly by: Grantee
  readonly target: Target
  /** Delay after the event. */
  readonly delayMs: number
}

/** - expire consent: records its expiry; the decider ignores a replaced or revoked consent */
type ExpireConsent = {
  readonly kind: 'expire consent'
  readonly patientId: string
  readonly from: Grantee
  readonly target: Target
  readonly until: string
  readonly dueAt: string
  /** A new grant of the same consent replaces the timer of this name. */
  readonly timer: string
}

export type ConsentJob = MailConsentAsked | ExpireConsent

export const react = (event: PatientEvent): readonly ConsentJob[] => {
  switch (event.type) {
    case 'ConsentAsked': {
      const { patientId, by, target } = event.data
      return [{ kind: 'mail consent asked', patientId, by, target, delayMs: 0 }]
    }
    case 'ConsentGranted': {
      const { patientId, to: from, target, until } = event.data
      // No timer without an end; an earlier timer has no effect when it fires.
      if (until === null) return []
      const timer = JSON.stringify([patientId, granteeKey(from), target])
      return [{ kind: 'expire consent', patientId, from, target, until, dueAt: until, timer }]
    }
    case 'ConsentRevoked':
    case 'ConsentDeclined':
    case 'ConsentExpired':
    case 'ContactRegistered':
      return []
  }
}
