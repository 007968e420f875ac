// The rows of a live query with what people are called: live rows say ids only, names come with the page and from the API.
import type { SeenConsent } from '@headwater/deciders/consent/api'
import { useFresh } from '../live/use-fresh.ts'
import { useLiveRows } from '../live/use-live-rows.ts'
import { type ListName, listPath } from './list-path.ts'

const keyOf = ({ consentId }: SeenConsent) => consentId

export const useConsents = (topic: string, list: ListName, loaded: { readonly consents: readonly SeenConsent[] }) => {
  const live = useLiveRows({ topic, keyOf }, loaded.consents)
  const present = live.rows.map(keyOf).sort().join(' ')
  // Somebody new is among them, and the API knows what they are called.
  const { value } = useFresh(listPath(list), loaded, { changed: present })
  const named = new Map(value.consents.map((consent) => [consent.consentId, consent]))
  const rows = live.rows.map((row): SeenConsent => {
    const { granteeName, patientName } = named.get(row.consentId) ?? row
    return { ...row, granteeName, patientName }
  })
  return { ...live, rows }
}
