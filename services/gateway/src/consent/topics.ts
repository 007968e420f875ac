// The live topics of consents: those of one's own record, those asked of one, and those granted to one.
import { consentTopicRules } from '@headwater/deciders/consent/consent-policy'
import type { View } from '@headwater/live/result-window'
import { defineTopic } from '@headwater/live/topic'
import {
  type ConsentRow,
  type ConsentsOf,
  compareConsents,
  isConcernedBy,
  listConsents,
  matchesConsents,
} from '@headwater/read-models/consent/consents'
import { z } from 'zod'
import { type ConsentList, consentAsRecorded, ownConsents } from './seen-consent.ts'

const consentsIn = (list: ConsentList) =>
  defineTopic({
    readModel: 'consents',
    rules: consentTopicRules[list],
    viewer: (allowed) => ownConsents(list, allowed),
    table: 'consents',
    filter: z.strictObject({}).prefault({}),
    view: (_filter, own: ConsentsOf): View<ConsentRow> => ({
      matches: matchesConsents(own),
      key: ({ consentId }) => consentId,
      compare: compareConsents(own),
      show: (row) => JSON.stringify(consentAsRecorded(row)),
    }),
    canSee: (row, own) => row !== null && isConcernedBy(own, row),
    first: (_filter, own, count) => listConsents(own, { limit: count }),
  })

export const consentTopics = {
  consents: consentsIn('consents'),
  'consent-requests': consentsIn('requests'),
  'granted-consents': consentsIn('granted'),
}
