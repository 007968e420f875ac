// The request of reads and catch-up subscriptions: every combination, served or refused as EventStoreDB does.
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import fc from 'fast-check'
import { decodeReadRequest } from '../../src/streams/read-request.ts'
import { type Entry, refused, request } from './entry.ts'
import { text, toIdentifier, u64 } from './values.ts'

const { ReadReq } = streamsPb
const { Options } = ReadReq
const { FilterOptions } = Options
const i64Max = 2n ** 63n - 1n
const u64Max = 2n ** 64n - 1n
const windowDefault = 32

type Where<Place> = 'start' | 'end' | 'nowhere' | Place
type Filter = {
  on: 'stream name' | 'event type' | 'nothing'
  regex: string
  prefixes: string[]
  window: number | 'count' | 'none'
  multiplier: number
}
type Value = {
  source: { stream: string; from: Where<bigint> } | { all: Where<readonly [bigint, bigint]> } | 'none'
  direction: number
  resolveLinks: boolean
  mode: bigint | 'subscription' | 'none'
  filter: Filter | 'no filter' | 'none'
  idsAs: 'string' | 'structured' | 'empty' | 'none'
  compatibility: number | undefined
}

const where = fc.constantFrom('start' as const, 'end' as const, 'nowhere' as const)
const u32 = fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1), fc.nat(10_000))
const filter: fc.Arbitrary<Filter> = fc.record({
  on: fc.constantFrom('stream name', 'event type', 'stream name', 'event type', 'nothing'),
  regex: fc.oneof(
    text.filter(({ length }) => length <= 2_048),
    fc.constant('a'.repeat(2_049)),
  ),
  prefixes: fc.array(text, { maxLength: 3 }),
  window: fc.oneof(u32, fc.constantFrom('count' as const, 'none' as const)),
  multiplier: u32,
})
/** A valid position has its prepare at or before its commit; others are refused. */
const position = fc.oneof(
  u64.map((commit) => [commit, commit] as const),
  fc.tuple(u64, u64),
)
// Valid parts come first in each choice, and often, so that whole requests are valid.
const often = <Item>(valid: fc.Arbitrary<Item>, ...rare: fc.Arbitrary<Item>[]) =>
  fc.oneof({ weight: 9, arbitrary: valid }, ...rare.map((arbitrary) => ({ weight: 1, arbitrary })))
const values: fc.Arbitrary<Value> = fc.record({
  source: often<Value['source']>(
    fc.oneof(fc.record({ stream: text, from: fc.oneof(where, u64) }), fc.record({ all: fc.oneof(where, position) })),
    fc.constant('none'),
  ),
  direction: often(fc.constantFrom(0, 1), fc.constantFrom(2, -1)),
  resolveLinks: fc.boolean(),
  mode: often<Value['mode']>(fc.oneof(u64, fc.constant('subscription' as const)), fc.constant('none')),
  filter: often<Value['filter']>(fc.oneof(filter, fc.constant('no filter' as const)), fc.constant('none')),
  idsAs: often<Value['idsAs']>(fc.constantFrom('string', 'structured'), fc.constantFrom('empty', 'none')),
  compatibility: fc.option(u32, { nil: undefined }),
})

const encode = ({ source, direction, resolveLinks, mode, filter, idsAs, compatibility }: Value): Uint8Array => {
  const options = new Options()
  const empty = () => new shared.Empty()
  if (source !== 'none' && 'stream' in source) {
    const stream = new Options.StreamOptions().setStreamIdentifier(toIdentifier(source.stream))
    if (source.from === 'start') stream.setStart(empty())
    else if (source.from === 'end') stream.setEnd(empty())
    else if (source.from !== 'nowhere') stream.setRevision(String(source.from))
    options.setStream(stream)
  } else if (source !== 'none') {
    const all = new Options.AllOptions()
    if (source.all === 'start') all.setStart(empty())
    else if (source.all === 'end') all.setEnd(empty())
    else if (source.all !== 'nowhere') {
      const [commit, prepare] = source.all
      all.setPosition(new Options.Position().setCommitPosition(String(commit)).setPreparePosition(String(prepare)))
    }
    options.setAll(all)
  }
  options.setReadDirection(direction as 0 | 1).setResolveLinks(resolveLinks)
  if (mode === 'subscription') options.setSubscription(new Options.SubscriptionOptions())
  else if (mode !== 'none') options.setCount(String(mode))
  if (filter === 'no filter') options.setNoFilter(empty())
  else if (filter !== 'none') {
    const made = new FilterOptions().setCheckpointintervalmultiplier(filter.multiplier)
    const expression = new FilterOptions.Expression().setRegex(filter.regex).setPrefixList(filter.prefixes)
    if (filter.on === 'stream name') made.setStreamIdentifier(expression)
    if (filter.on === 'event type') made.setEventType(expression)
    if (filter.window === 'count') made.setCount(empty())
    else if (filter.window !== 'none') made.setMax(filter.window)
    options.setFilter(made)
  }
  if (idsAs !== 'none') {
    const ids = new Options.UUIDOption()
    if (idsAs === 'string') ids.setString(empty())
    if (idsAs === 'structured') ids.setStructured(empty())
    options.setUuidOption(ids)
  }
  if (compatibility !== undefined) {
    options.setControlOption(new Options.ControlOption().setCompatibility(compatibility))
  }
  return new ReadReq().setOptions(options).serializeBinary()
}

const fromOf = (revision: bigint) => (revision === u64Max ? 'end' : Number(revision))

const expectedSource = (source: Value['source']) => {
  if (source === 'none') return undefined
  if ('stream' in source) {
    const { stream: streamName, from } = source
    if (from === 'nowhere' || streamName === '') return undefined
    if (typeof from === 'string') return { kind: 'stream', streamName, from }
    return from > i64Max && from !== u64Max ? undefined : { kind: 'stream', streamName, from: fromOf(from) }
  }
  const { all } = source
  if (all === 'nowhere') return undefined
  if (typeof all === 'string') return { kind: 'all', from: all }
  const [commit, prepare] = all
  if (commit === u64Max && prepare === u64Max) return { kind: 'all', from: 'end' }
  return commit > i64Max || prepare > commit ? undefined : { kind: 'all', from: Number(commit) }
}

const expectedFilter = ({ on, regex, prefixes, window, multiplier }: Filter) => ({
  on,
  regex,
  prefixes,
  searchWindow: typeof window === 'number' ? window : windowDefault,
  checkpointIntervalMultiplier: multiplier,
})

const isServed = ({ source, direction, mode, filter, idsAs }: Value): boolean => {
  const isSubscription = mode === 'subscription'
  if (mode === 'none' || filter === 'none' || (idsAs !== 'string' && idsAs !== 'structured')) return false
  if (direction !== 0 && (direction !== 1 || isSubscription)) return false
  if (filter === 'no filter') return true
  if (source === 'none' || 'stream' in source || filter.on === 'nothing') return false
  if (filter.window === 0 || filter.regex.length > 2_048) return false
  return !isSubscription || filter.multiplier >= 1
}

const expected = (value: Value) => {
  const { source, direction, resolveLinks, mode, filter, idsAs, compatibility = 0 } = value
  const found = expectedSource(source)
  if (!found || !isServed(value)) return refused
  return {
    source: found,
    direction: direction === 0 ? 'forwards' : 'backwards',
    resolveLinks,
    count: typeof mode === 'bigint' ? Number(mode) : undefined,
    filter: typeof filter === 'string' ? undefined : expectedFilter(filter),
    idsAs,
    compatibility,
  }
}

export const readRequests: readonly Entry[] = [
  request<Value>({
    name: 'ReadReq',
    values,
    encode,
    decode: decodeReadRequest,
    expected,
    nested: [
      [1],
      [1, 1],
      [1, 1, 1],
      [1, 1, 3],
      [1, 2],
      [1, 2, 1],
      [1, 2, 3],
      [1, 6],
      [1, 7],
      [1, 7, 1],
      [1, 8],
      [1, 9],
      [1, 10],
    ],
  }),
]
