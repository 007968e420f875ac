// What follows from the events of a patient: jobs, which services/jobs keeps until they are done.
import { type Grantee, granteeKey, type PatientEvent, type Target } from './patient-events.ts'

/** - mail consent asked: tell the patient that somebody asks, where an address is known */
type MailConsentAsked = {
  readonly kind: 'mail consent asked'
  readonly patientId: string
  readonly by: Grantee
  readonly target: Target
  /** After the event. */
  readonly delayMs: number
}

/** - expire consent: write down that it is over; the decider does nothing when it was replaced or is gone */
type ExpireConsent = {
  readonly kind: 'expire consent'
  readonly patientId: string
  readonly from: Grantee
  readonly target: Target
  readonly until: string
  readonly dueAt: string
  /** Granted anew, the same consent has the one timer of this name set anew. */
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
      // Without an end there is nothing to wait for; a timer that was set before finds nothing to do.
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
