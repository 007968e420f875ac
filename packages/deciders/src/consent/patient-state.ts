// What can be true of a patient's consents, and how their events make it so.
import { emptyKeyed, type Keyed, valueAt, withValue } from '../keyed.ts'
import { type Grantee, granteeKey, granteeOf, type PatientEvent } from './patient-events.ts'
import { evolveStanding, nothingStands, type Standing } from './permissions.ts'

export type PatientState = {
  readonly grantees: Keyed<Standing>
  /** Where news is sent; null while none is known. */
  readonly email: string | null
}

export const initialState: PatientState = { grantees: emptyKeyed, email: null }

export const standingOf = ({ grantees }: PatientState, grantee: Grantee): Standing =>
  valueAt(grantees, granteeKey(grantee)) ?? nothingStands

export const evolve = (state: PatientState, event: PatientEvent): PatientState => {
  const grantee = granteeOf(event)
  if (grantee) {
    const standing = evolveStanding(standingOf(state, grantee), event)
    const isNothing = standing.permissions.length === 0 && standing.requests.length === 0
    const kept = isNothing ? undefined : standing
    return { ...state, grantees: withValue(state.grantees, granteeKey(grantee), kept) }
  }
  return event.type === 'ContactRegistered' ? { ...state, email: event.data.email } : state
}

/** A patient may give and take back for ever. */
export const isTerminal = (): boolean => false
