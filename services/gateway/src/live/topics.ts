// The topics of every context, by name.
import type { Topic } from '@headwater/live/topic'
import { consentTopics } from '../consent/topics.ts'
import { loanTopics } from '../loan/topics.ts'

export type ReadModelName = 'loans' | 'underwriting' | 'consents'

export const topics: ReadonlyMap<string, Topic<ReadModelName>> = new Map(
  Object.entries({ ...loanTopics, ...consentTopics }),
)
