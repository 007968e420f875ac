// Chooses the next request of a client: mostly valid ones, often refused ones, and repeats.
import { randomUUID } from 'node:crypto'
import type { Chance } from './chance.ts'
import type { Expected, Operation, Request } from './history.ts'

const eventsMax = 4
const countMax = 40
const aheadMax = 3

/** A request with its stream. */
export type Ask = { readonly stream: string; readonly request: Request }

export const createAsks = (streams: readonly string[], { fraction, between, pick }: Chance) => {
  const appends: { ask: Ask & { request: Request & { kind: 'append' } }; isUnknown: boolean }[] = []
  /** The last revisions known from answers, and a position of $all. */
  const revisions = new Map<string, bigint>()
  let position = 0n

  const revisionOf = (stream: string): bigint => revisions.get(stream) ?? -1n
  const anyRevision = (stream: string): bigint => BigInt(between(0, Number(revisionOf(stream)) + aheadMax))

  const exact = (stream: string): Expected => (revisionOf(stream) < 0n ? 'no_stream' : revisionOf(stream))
  const expectedOf = (stream: string): Expected => {
    const chosen = fraction()
    if (chosen < 0.4) return exact(stream)
    if (chosen < 0.7) return 'any'
    if (chosen < 0.8) return 'no_stream'
    return chosen < 0.9 ? 'stream_exists' : anyRevision(stream)
  }

  const append = (stream: string, expected = expectedOf(stream)): Ask => {
    const ids = Array.from({ length: between(1, eventsMax) }, () => randomUUID())
    const request = { kind: 'append', append: appends.length, ids, expected } as const
    appends.push({ ask: { stream, request }, isUnknown: false })
    return { stream, request }
  }

  const again = (): Ask => {
    const unknown = appends.filter(({ isUnknown }) => isUnknown)
    const { ask } = pick(unknown.length > 0 && fraction() < 0.6 ? unknown : appends)
    if (fraction() < 0.7) return ask
    return { stream: ask.stream, request: { ...ask.request, expected: expectedOf(ask.stream) } }
  }

  return {
    append,
    next: (): Ask => {
      const stream = pick(streams)
      const chosen = fraction()
      if (chosen < 0.5 || appends.length === 0) return append(stream)
      if (chosen < 0.64) return again()
      if (chosen < 0.7) {
        const truncateBefore = fraction() < 0.5 ? anyRevision(stream) : undefined
        const maxCount = fraction() < 0.5 ? BigInt(between(1, eventsMax)) : undefined
        return { stream, request: { kind: 'set metadata', truncateBefore, maxCount } }
      }
      const count = between(1, countMax)
      if (chosen < 0.84) {
        return { stream, request: { kind: 'read', forwards: fraction() < 0.5, from: anyRevision(stream), count } }
      }
      if (chosen < 0.93) return { stream, request: { kind: 'read $all', after: position, count } }
      // The client has no `stream_exists` here.
      const expected = pick<Expected>(['any', exact(stream), exact(stream), 'no_stream', anyRevision(stream)])
      return { stream, request: { kind: chosen < 0.995 ? 'delete' : 'tombstone', expected } }
    },
    /** Records the revisions of an outcome. */
    learn: ({ stream, request, outcome }: Operation): void => {
      if (request.kind === 'append' && outcome.kind === 'unknown') {
        const sent = appends[request.append]
        if (sent) sent.isUnknown = true
      }
      if (request.kind === 'append' && outcome.kind === 'success') revisions.set(stream, outcome.revision)
      if (outcome.kind === 'wrong expected version') revisions.set(stream, outcome.actual)
      if (outcome.kind === 'success' && fraction() < 0.3) position = outcome.position
    },
  }
}
