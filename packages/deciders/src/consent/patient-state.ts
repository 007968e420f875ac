// The state of a patient's consents, evolved by their events.
import { emptyKeyed, type Keyed, valueAt, withValue } from '../keyed.ts'
import { type Grantee, granteeKey, granteeOf, type PatientEvent } from './patient-events.ts'
import { evolveGrantee, type GranteeState, noGrants } from './permissions.ts'

export type PatientState = {
  readonly grantees: Keyed<GranteeState>
  /** The address for notifications; null while unknown. */
  readonly email: string | null
}

export const initialState: PatientState = { grantees: emptyKeyed, email: null }

export const granteeStateOf = ({ grantees }: PatientState, grantee: Grantee): GranteeState =>
  valueAt(grantees, granteeKey(grantee)) ?? noGrants

export const evolve = (state: PatientState, event: PatientEvent): PatientState => {
  const grantee = granteeOf(event)
  if (grantee) {
    const next = evolveGrantee(granteeStateOf(state, grantee), event)
    const isNothing = next.permissions.length === 0 && next.requests.length === 0
    const kept = isNothing ? undefined : next
    return { ...state, grantees: withValue(state.grantees, granteeKey(grantee), kept) }
  }
  return event.type === 'ContactRegistered' ? { ...state, email: event.data.email } : state
}

/** A patient's stream never ends. */
export const isTerminal = (): boolean => false
