// The topics of every context, by name.
import type { Topic } from '@headwater/live/topic'
import { gatewayContexts } from '../contexts.ts'

export const topics: ReadonlyMap<string, Topic> = new Map(
  gatewayContexts.flatMap((context) => Object.entries(context.topics)),
)
