// Chooses the consumer of an event.
import type { Strategy } from './settings.ts'

export type Candidate = { readonly hasRoom: () => boolean }
/** Determines which events go to the same consumer. */
export type Affinity = { readonly streamName: string; readonly correlationId: string }

/** `later`: others may be sent before this event; `full`: no event can be sent. */
type Choice<Consumer> = Consumer | 'later' | 'full'

export type Chooser<Consumer extends Candidate> = {
  readonly add: (consumer: Consumer) => void
  readonly remove: (consumer: Consumer) => void
  readonly choose: (affinity: () => Affinity) => Choice<Consumer>
}

/** Fills the first consumer, then the next. */
const dispatchToSingle = <Consumer extends Candidate>(): Chooser<Consumer> => {
  const consumers = new Set<Consumer>()
  return {
    add: (consumer) => consumers.add(consumer),
    remove: (consumer) => consumers.delete(consumer),
    choose: () => {
      for (const consumer of consumers) if (consumer.hasRoom()) return consumer
      return 'full'
    },
  }
}

/** One after the other, without full ones. */
const roundRobin = <Consumer extends Candidate>(): Chooser<Consumer> => {
  const consumers = new Set<Consumer>()
  return {
    add: (consumer) => consumers.add(consumer),
    remove: (consumer) => consumers.delete(consumer),
    choose: () => {
      for (const consumer of consumers) {
        if (!consumer.hasRoom()) continue
        consumers.delete(consumer)
        consumers.add(consumer)
        return consumer
      }
      return 'full'
    },
  }
}

const bucketCount = 1024

// FNV-1a, 32 bits: spreads names that differ only in their last characters.
const bucketOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return ((hash >>> 16) ^ hash) & (bucketCount - 1)
}

/**
 * Sends related events to the same consumer while it is connected. When a consumer comes or goes, only as many keys move
 * as needed to keep the load equal.
 */
const pinned = <Consumer extends Candidate>(keyOf: (affinity: Affinity) => string): Chooser<Consumer> => {
  const consumers = new Set<Consumer>()
  const buckets: (Consumer | undefined)[] = Array.from({ length: bucketCount })

  const share = () => {
    const most = Math.ceil(bucketCount / consumers.size)
    const held = new Map<Consumer, number>([...consumers].map((consumer) => [consumer, 0]))
    const free: number[] = []
    for (const [bucket, consumer] of buckets.entries()) {
      const count = consumer && held.get(consumer)
      if (consumer === undefined || count === undefined || count >= most) free.push(bucket)
      else held.set(consumer, count + 1)
    }
    for (const [consumer, count] of held) {
      for (const bucket of free.splice(0, most - count)) buckets[bucket] = consumer
    }
  }

  return {
    add: (consumer) => {
      consumers.add(consumer)
      share()
    },
    remove: (consumer) => {
      consumers.delete(consumer)
      if (consumers.size > 0) share()
    },
    choose: (affinity) => {
      if (consumers.size === 0) return 'full'
      const consumer = buckets[bucketOf(keyOf(affinity()))]
      if (consumer?.hasRoom()) return consumer
      return [...consumers].some((other) => other.hasRoom()) ? 'later' : 'full'
    },
  }
}

export const createChooser = <Consumer extends Candidate>(strategy: Strategy): Chooser<Consumer> => {
  switch (strategy) {
    case 'DispatchToSingle':
      return dispatchToSingle()
    case 'RoundRobin':
      return roundRobin()
    case 'Pinned':
      return pinned(({ streamName }) => streamName)
    case 'PinnedByCorrelation':
      return pinned(({ streamName, correlationId }) => correlationId || streamName)
  }
}
