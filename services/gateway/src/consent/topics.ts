// The live topics of consents: those of one's own record, those asked of one, and those granted to one.
import { consentApi } from '@headwater/deciders/consent/api'
import type { View } from '@headwater/live/result-window'
import { defineTopic } from '@headwater/live/topic'
import {
  type ConsentOwner,
  type ConsentRow,
  type ConsentsOf,
  compareConsents,
  isConcernedBy,
  listConsents,
  matchesConsents,
} from '@headwater/read-models/consent/consents'
import { type ConsentList, consentAsRecorded, ownConsents } from './seen-consent.ts'

const consentsIn = (list: ConsentList, topic: keyof typeof consentApi.topics) =>
  defineTopic({
    ...consentApi.topics[topic],
    readModel: 'consents',
    viewer: (allowed) => ownConsents(list, allowed),
    table: 'consents',
    view: (_filter, own: ConsentsOf): View<ConsentRow> => ({
      matches: matchesConsents(own),
      key: ({ consentId }) => consentId,
      compare: compareConsents(own),
      show: (row) => JSON.stringify(consentAsRecorded(row)),
    }),
    canSee: (row: ConsentOwner, own) => isConcernedBy(own, row),
    first: (_filter, own, count) => listConsents(own, { limit: count }),
  })

export const consentTopics = {
  consents: consentsIn('consents', 'consents'),
  'consent-requests': consentsIn('requests', 'consent-requests'),
  'granted-consents': consentsIn('granted', 'granted-consents'),
}
