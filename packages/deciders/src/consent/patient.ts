// The rules of a patient's consents: asking, granting, revoking and expiring.
import { z } from 'zod'
import { type Decider, Rejection } from '../decider.ts'
import { email, instant, longText, optional, optionalText, personId, personKey } from '../fields.ts'
import {
  type Grantee,
  type GranteeKind,
  granteeKind,
  type PatientEvent,
  type Target,
  target,
} from './patient-events.ts'
import { evolve, granteeStateOf, initialState, isTerminal, type PatientState } from './patient-state.ts'
import { isAsked, type Permission, permissionCovering, permissionFor } from './permissions.ts'

const purposeLengthMax = 300

// Commands. Inputs are the schemas of bodies and forms; routes.ts adds IDs, time and actor.

const part = target.meta({ description: 'A part of the record; `all` covers every part.' })

export const granteeInput = z.strictObject({ kind: granteeKind, id: personId })

export const askConsentInput = z.strictObject({
  patientId: personId.meta({ description: 'Whose record.' }),
  target: part,
  purpose: optionalText(longText(purposeLengthMax)).meta({
    description: 'What it is for, in a sentence that the patient will read.',
  }),
  kind: optional(granteeKind).meta({ description: 'In which of your roles; needed when you have several.' }),
})
export const grantConsentInput = z.strictObject({
  to: granteeInput,
  target: part,
  until: optional(instant).meta({
    description: 'When it ends by itself; without it, never.',
    examples: ['2026-12-24T18:00:00Z'],
  }),
})
export const revokeConsentInput = z.strictObject({ from: granteeInput, target: part })
export const declineConsentInput = z.strictObject({ by: granteeInput, target: part })
export const registerContactInput = z.strictObject({ email })

type OfPatient = { readonly patientId: string; readonly at: string }

export type PatientCommand =
  | {
      readonly type: 'AskConsent'
      readonly data: OfPatient & {
        readonly by: Grantee
        readonly target: Target
        readonly purpose?: string | undefined
      }
    }
  | {
      readonly type: 'GrantConsent'
      readonly data: OfPatient & {
        readonly to: Grantee
        readonly target: Target
        /** In UTC with milliseconds like `at`, so that they compare as text. */
        readonly until?: string | undefined
        /** The kinds of the grantee in the directory of people; empty for an unknown person. */
        readonly kinds: readonly GranteeKind[]
      }
    }
  | { readonly type: 'RevokeConsent'; readonly data: OfPatient & z.infer<typeof revokeConsentInput> }
  | { readonly type: 'DeclineConsent'; readonly data: OfPatient & z.infer<typeof declineConsentInput> }
  | {
      readonly type: 'ExpireConsent'
      readonly data: OfPatient & { readonly from: Grantee; readonly target: Target; readonly until: string }
    }
  | { readonly type: 'RegisterContact'; readonly data: OfPatient & z.infer<typeof registerContactInput> }

const alreadyGranted = ({ target, until }: Permission) =>
  new Rejection(
    'consent_already_granted',
    target === 'all' ? 'Everything is granted already.' : 'This is granted already.',
    { granted: target, until },
  )

const isSamePerson = (one: string, other: string): boolean => personKey(one) === personKey(other)

const decide = (command: PatientCommand, state: PatientState): readonly PatientEvent[] => {
  const { patientId, at } = command.data
  switch (command.type) {
    case 'AskConsent': {
      const { by, target, purpose = null } = command.data
      if (isSamePerson(by.id, patientId))
        throw new Rejection('asking_oneself', 'You need no consent for your own record.')
      const grantee = granteeStateOf(state, by)
      const covering = permissionCovering(grantee.permissions, target, at)
      if (covering) throw alreadyGranted(covering)
      if (isAsked(grantee, target)) return []
      return [{ type: 'ConsentAsked', data: { patientId, by, target, purpose, askedAt: at } }]
    }
    case 'GrantConsent': {
      const { to, target, until = null, kinds } = command.data
      if (isSamePerson(to.id, patientId))
        throw new Rejection('granting_oneself', 'You need no consent for your own record.')
      if (until !== null && until <= at)
        throw new Rejection('until_not_in_future', 'The end has to lie in the future.', {
          errors: [{ field: 'until', message: 'in the future' }],
        })
      if (!kinds.includes(to.kind))
        throw new Rejection('no_such_grantee', `No ${to.kind} has this ID.`, {
          errors: [{ field: 'to.id', message: `the ID of a ${to.kind}` }],
        })
      const covering = permissionCovering(granteeStateOf(state, to).permissions, target, at)
      // The same target with another end replaces the permission.
      if (covering && (covering.target !== target || covering.until === until)) throw alreadyGranted(covering)
      return [{ type: 'ConsentGranted', data: { patientId, to, target, until, grantedAt: at } }]
    }
    case 'RevokeConsent': {
      const { from, target } = command.data
      const covering = permissionCovering(granteeStateOf(state, from).permissions, target, at)
      if (covering?.target === 'all' && target !== 'all')
        throw new Rejection('consent_not_granted', 'What is granted is `all`; only that can be revoked.', {
          granted: 'all',
        })
      if (!covering) throw new Rejection('consent_not_granted', 'This is not granted.')
      return [{ type: 'ConsentRevoked', data: { patientId, from, target, revokedAt: at } }]
    }
    case 'DeclineConsent': {
      const { by, target } = command.data
      if (!isAsked(granteeStateOf(state, by), target))
        throw new Rejection('consent_not_asked', 'There is no open request for this.')
      return [{ type: 'ConsentDeclined', data: { patientId, by, target, declinedAt: at } }]
    }
    case 'ExpireConsent': {
      const { from, target, until } = command.data
      const granted = granteeStateOf(state, from).permissions.find((permission) => permission.target === target)
      if (granted?.until !== until) return []
      if (permissionFor([granted], target, at)) throw new Rejection('consent_not_due', 'This is granted for longer.')
      return [{ type: 'ConsentExpired', data: { patientId, from, target, until, expiredAt: at } }]
    }
    case 'RegisterContact': {
      const { email } = command.data
      if (state.email === email) return []
      return [{ type: 'ContactRegistered', data: { patientId, email, registeredAt: at } }]
    }
  }
}

export const patient: Decider<PatientCommand, PatientEvent, PatientState> = { initialState, decide, evolve, isTerminal }
