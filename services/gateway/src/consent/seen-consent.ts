// A consent as its two people see it, and whose rows a list shows to whom.
import type { SeenConsent } from '@headwater/deciders/consent/api'
import { granteeKindsOf } from '@headwater/deciders/consent/consent-policy'
import { personKey } from '@headwater/deciders/fields'
import type { Allowed } from '@headwater/http-kit/access/access'
import {
  type ConsentRow,
  type ConsentsOf,
  granteeStateOfRow,
  permissionsAt,
} from '@headwater/read-models/consent/consents'

/** The patient sees the name of a person who asked, not the name behind an ID that the patient typed. */
export const namedGranteeId = ({ granteeId, hasAsked }: ConsentRow): string | null =>
  hasAsked === 1 ? granteeId : null

/** Both know all of it: one wrote it, the other was told or may ask. */
const asSeen = (row: ConsentRow, permissions: SeenConsent['permissions']): SeenConsent => ({
  consentId: row.consentId,
  patientId: row.patientId,
  grantee: { kind: row.granteeKind, id: row.granteeId },
  permissions,
  requests: [...granteeStateOfRow(row).requests],
})

/** Without what is past its end. */
export const consentAt = (row: ConsentRow, at: string): SeenConsent => asSeen(row, [...permissionsAt(row, at)])

/** As it stands: whoever follows it live sees by `until` when something is over. */
export const consentAsRecorded = (row: ConsentRow): SeenConsent => asSeen(row, [...granteeStateOfRow(row).permissions])

export type ConsentList = ConsentsOf['list']

/** Everybody sees their own: the records they are the patient of, or those they were given sight of in a role they have. */
export const ownConsents = (list: ConsentList, allowed: readonly Allowed[]): ConsentsOf => {
  const person = allowed.find(({ actor }) => actor.kind === 'person')?.actor
  if (!person) throw new Error('whoever is not signed in is refused before')
  const id = personKey(person.sub)
  return list === 'granted' ? { list, granteeId: id, kinds: granteeKindsOf(person) } : { list, patientId: id }
}
