// Runs a persistent subscription: sends events to its consumers, retries them, and keeps its checkpoint.
import { decodeRecord, linkTarget } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { createCheckpoint } from './checkpoint.ts'
import type { Message } from './message.ts'
import { createParked } from './parked.ts'
import type { Action } from './requests.ts'
import { type Definition, definitionKey, isStrategy, type Strategy } from './settings.ts'
import { openSource } from './source.ts'
import { createStatistics } from './statistics.ts'
import { type Affinity, type Candidate, createChooser } from './strategies.ts'

/** Bounds the waiting events in memory by size, beside their number. */
const waitingBytesMax = 16 * 1024 * 1024

export type Consumer = Candidate & {
  readonly name: string
  readonly from: string
  readonly userName: string
  readonly bufferSize: number
  readonly inFlight: Map<string, Message>
  readonly statistics: ReturnType<typeof createStatistics>
  readonly send: (message: Message) => void
  /** Called when the group was deleted, or cannot read because of `fault`. */
  readonly drop: (fault?: string) => void
}

type Sent = { readonly message: Message; readonly consumer: Consumer; readonly sentAtMs: number }

export type Group = ReturnType<typeof openGroup>

const correlationIdOf = (record: Buffer): string => {
  try {
    const { $correlationId } = JSON.parse(decodeRecord(record).customMetadata.toString('utf8'))
    return typeof $correlationId === 'string' ? $correlationId : ''
  } catch {
    return ''
  }
}

// The target of a link counts, not the stream of the link.
const affinityOf = ({ event, link, streamName }: Message): Affinity => ({
  streamName: (event && link && linkTarget(link)?.streamName) || streamName,
  correlationId: event ? correlationIdOf(event) : '',
})

const strategyOf = (name: string): Strategy => (isStrategy(name) ? name : 'RoundRobin')

export const openGroup = (store: Store, definition: Definition) => {
  const { settings, startFrom } = definition
  const key = definitionKey(definition)
  const source = openSource(store, definition)
  const parked = createParked(store, key)
  const checkpoint = createCheckpoint(store, key, source, settings)
  const chooser = createChooser<Consumer>(strategyOf(settings.strategy))
  const consumers = new Set<Consumer>()
  const sent = new Map<string, Sent>()
  const statistics = createStatistics()

  /** In the order of sending: earlier events first. */
  let retries: Message[] = []
  let waiting: Message[] = []
  let waitingBytes = 0
  const parking = new Set<Message>()
  const first = startFrom === 'end' ? source.end() + 1 : startFrom
  let readTo = checkpoint.stored() ?? first - 1
  let sequence = 0
  let isLive = !source.isOver() && readTo >= source.end()
  let wasLive = isLive
  let scheduled = false
  let closed = false

  const read = (): boolean => {
    if (waiting.length + settings.readBatchSize > settings.historyBufferSize || waitingBytes >= waitingBytesMax)
      return false
    const page = source.readAfter(readTo, settings.readBatchSize, wasLive)
    for (const event of page.events) {
      const message = { ...event, sequence: ++sequence, retryCount: 0 }
      waiting.push(message)
      waitingBytes += bytesOf(message)
    }
    const moved = page.place > readTo
    readTo = page.place
    isLive = page.isEnd
    wasLive ||= isLive
    return moved
  }

  /** Sends as many events as possible; the rest stays, in its order. */
  const handOut = (queue: Message[], taken: (message: Message) => void): { left: Message[]; isFull: boolean } => {
    const left: Message[] = []
    for (const [index, message] of queue.entries()) {
      // A consumer's answer names only the ID: events with the same ID are sent one after the other.
      const choice = sent.has(message.id) ? 'later' : chooser.choose(() => affinityOf(message))
      if (choice === 'full') return { left: [...left, ...queue.slice(index)], isFull: true }
      if (choice === 'later') {
        left.push(message)
        continue
      }
      taken(message)
      sent.set(message.id, { message, consumer: choice, sentAtMs: performance.now() })
      choice.inFlight.set(message.id, message)
      choice.send(message)
    }
    return { left, isFull: false }
  }

  const pump = (): void => {
    scheduled = false
    if (closed || consumers.size === 0) return
    try {
      handOutAll()
    } catch (error) {
      // The next consumer makes it try again.
      const fault = error instanceof Error ? error.message : String(error)
      for (const consumer of consumers) consumer.drop(fault)
    }
  }
  const handOutAll = (): void => {
    for (;;) {
      const again = handOut(retries, () => {})
      retries = again.left
      if (again.isFull) return
      const fresh = handOut(waiting, (message) => {
        waitingBytes -= bytesOf(message)
      })
      waiting = fresh.left
      if (fresh.isFull || !read()) return
      if (waiting.length === 0 && !isLive) {
        // The filter matched no event of the page: other work runs before the next one.
        schedule()
        return
      }
    }
  }
  const schedule = (): void => {
    if (scheduled || closed) return
    scheduled = true
    setImmediate(pump)
  }
  const unwatch = source.watch(schedule)

  const takeBack = ({ message, consumer }: Sent): void => {
    sent.delete(message.id)
    consumer.inFlight.delete(message.id)
  }

  const park = (message: Message, reason: string): void => {
    parking.add(message)
    void parked.add(message, reason).then(
      () => {
        parking.delete(message)
        schedule()
      },
      () => {
        // The park event could not be written: the message is sent again, and parked again.
        parking.delete(message)
        retry(message)
      },
    )
  }

  const retry = (message: Message): void => {
    const at = retries.findIndex(({ sequence: other }) => other > message.sequence)
    retries.splice(at < 0 ? retries.length : at, 0, { ...message, retryCount: message.retryCount + 1 })
  }
  const retryOrPark = (message: Message): void => {
    if (message.retryCount >= settings.maxRetryCount) park(message, `Reached retry count of ${settings.maxRetryCount}`)
    else retry(message)
  }

  /** The lowest message that is not handled yet. */
  const unfinished = (): Message | undefined => {
    let lowest: Message | undefined
    const consider = (message: Message | undefined) => {
      if (message?.place === undefined) return
      if (lowest === undefined || message.sequence < lowest.sequence) lowest = message
    }
    for (const { message } of sent.values()) consider(message)
    for (const message of parking) consider(message)
    for (const message of retries) consider(message)
    consider(waiting[0])
    return lowest
  }
  /** The place up to which all events are handled. */
  const done = () => {
    const lowest = unfinished()
    return lowest ? { place: (lowest.place ?? 0) - 1, count: lowest.sequence - 1 } : { place: readTo, count: sequence }
  }
  const remember = (isTick: boolean): void => {
    const { place, count } = done()
    checkpoint.offer(place, count, isTick)
  }

  const finished = (found: Sent): void => {
    const tookMs = settings.extraStatistics ? performance.now() - found.sentAtMs : undefined
    statistics.count(tookMs)
    found.consumer.statistics.count(tookMs)
  }

  const each = (consumer: Consumer, ids: readonly string[], act: (found: Sent) => void): void => {
    for (const id of ids) {
      const found = sent.get(id)
      if (found?.consumer !== consumer) continue
      takeBack(found)
      act(found)
    }
    remember(false)
    // At once, before more answers arrive: free capacity must go to retries before newer events.
    pump()
  }

  return {
    definition,
    /** True when the stream was tombstoned and no event is left. */
    isOver: () => source.isOver() && !wasLive,
    isFull: () => settings.maxSubscriberCount > 0 && consumers.size >= settings.maxSubscriberCount,
    join: (consumer: Consumer): void => {
      consumers.add(consumer)
      chooser.add(consumer)
      schedule()
    },
    /** The events of the consumer are sent to others. */
    leave: (consumer: Consumer): void => {
      if (!consumers.delete(consumer)) return
      chooser.remove(consumer)
      for (const message of consumer.inFlight.values()) {
        sent.delete(message.id)
        retryOrPark(message)
      }
      consumer.inFlight.clear()
      schedule()
    },
    acknowledge: (consumer: Consumer, ids: readonly string[]): void => each(consumer, ids, finished),
    refuse: (consumer: Consumer, ids: readonly string[], action: Action, reason: string): void =>
      each(consumer, ids, (found) => {
        if (action === 'park') park(found.message, reason)
        else if (action === 'retry' || action === 'unknown') retryOrPark(found.message)
        else finished(found)
      }),
    /** Retries events after their time-out, and stores the checkpoint at intervals. */
    tick: (): void => {
      const now = performance.now()
      if (settings.messageTimeoutMs > 0) {
        for (const found of [...sent.values()]) {
          if (now - found.sentAtMs < settings.messageTimeoutMs) continue
          takeBack(found)
          retryOrPark(found.message)
        }
      }
      remember(true)
      schedule()
    },
    /** Sends the parked events again, after other retries. */
    replayParked: async (stopAt: number | undefined): Promise<void> => {
      for (const read of await parked.take(stopAt)) retries.push({ ...read, sequence: ++sequence, retryCount: 0 })
      schedule()
    },
    close: (): void => {
      closed = true
      unwatch()
      for (const consumer of consumers) consumer.drop()
    },
    /** Number of events between the handled ones and the end; in `$all` the filter is ignored. */
    lag: (): number => Math.max(0, source.end() - done().place),
    /** Its settings, state and statistics. */
    look: () => ({
      status: isLive && waiting.length === 0 ? 'Live' : 'Behind',
      consumers: [...consumers],
      statistics: statistics.ask(settings.extraStatistics),
      checkpoint: checkpoint.written(),
      end: source.end() >= 0 ? source.write(source.end()) : '',
      startFrom: source.write(startFrom === 'end' ? -1 : startFrom),
      waiting: waiting.length,
      isLive,
      retries: retries.length,
      outstanding: sent.size,
      parked: parked.count(),
    }),
  }
}

const bytesOf = ({ event, link }: Message): number => (event?.length ?? 0) + (link?.length ?? 0)
