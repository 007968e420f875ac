// The choice of a consumer: in turn, the first with capacity, or always the same for related events.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createChooser } from '../src/persistent/strategies.ts'
import { many, newStream, useStore } from './helpers.ts'
import { openGroup } from './persistent-helpers.ts'

const used = useStore()

type Fake = { name: string; room: number; hasRoom: () => boolean }
const consumer = (name: string, room = 1_000): Fake => {
  const made: Fake = { name, room, hasRoom: () => made.room > 0 }
  return made
}
const about =
  (streamName: string, correlationId = '') =>
  () => ({ streamName, correlationId })
const give = (choice: Fake | 'later' | 'full'): string => {
  if (typeof choice === 'string') return choice
  choice.room--
  return choice.name
}

test('RoundRobin takes turns and skips full consumers', () => {
  const chooser = createChooser<Fake>('RoundRobin')
  const [a, b, c] = [consumer('a'), consumer('b', 1), consumer('c')]
  for (const each of [a, b, c]) chooser.add(each)
  const given = Array.from({ length: 6 }, () => give(chooser.choose(about('s'))))
  expect(given).toEqual(['a', 'b', 'c', 'a', 'c', 'a'])
  chooser.remove(a)
  expect(give(chooser.choose(about('s')))).toBe('c')
  c.room = 0
  expect(give(chooser.choose(about('s')))).toBe('full')
})

test('DispatchToSingle fills the first consumer, then the next', () => {
  const chooser = createChooser<Fake>('DispatchToSingle')
  for (const each of [consumer('a', 2), consumer('b', 1)]) chooser.add(each)
  const given = Array.from({ length: 4 }, () => give(chooser.choose(about('s'))))
  expect(given).toEqual(['a', 'a', 'b', 'full'])
})

describe('Pinned', () => {
  const streams = Array.from({ length: 1_000 }, (_, number) => `stream-${number}`)

  test('sends a stream to the same consumer, and moves few streams when consumers come and go', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), (steps) => {
        const chooser = createChooser<Fake>('Pinned')
        const there: Fake[] = []
        const whose = () => new Map(streams.map((name) => [name, give(chooser.choose(about(name)))]))
        let before: Map<string, string> | undefined
        for (const [index, comes] of steps.entries()) {
          const gone = comes ? undefined : there.pop()
          if (gone) chooser.remove(gone)
          else {
            const added = consumer(`c${index}`, Number.POSITIVE_INFINITY)
            there.push(added)
            chooser.add(added)
          }
          if (there.length === 0) {
            before = undefined
            continue
          }
          const now = whose()
          expect(whose()).toEqual(now)
          const moved = streams.filter((name) => before && before.get(name) !== now.get(name))
          // Only one consumer's share moves; twice that allows for uneven names.
          expect(moved.length).toBeLessThanOrEqual(
            (2 * streams.length) / Math.max(1, there.length) + streams.length / 10,
          )
          before = now
        }
      }),
      { numRuns: 30 },
    )
  })

  test('sends other events while one waits for its consumer', () => {
    const chooser = createChooser<Fake>('Pinned')
    const [a, b] = [consumer('a'), consumer('b')]
    for (const each of [a, b]) chooser.add(each)
    const ofA = streams.find((name) => give(chooser.choose(about(name))) === 'a') ?? ''
    a.room = 0
    expect(give(chooser.choose(about(ofA)))).toBe('later')
    b.room = 0
    expect(give(chooser.choose(about(ofA)))).toBe('full')
  })

  test('by correlation uses the correlation ID if there is one', () => {
    const chooser = createChooser<Fake>('PinnedByCorrelation')
    for (const name of ['a', 'b', 'c']) chooser.add(consumer(name, Number.POSITIVE_INFINITY))
    const given = new Set(streams.map((name) => give(chooser.choose(about(name, 'one')))))
    expect(given.size).toBe(1)
    const spread = new Set(streams.map((name) => give(chooser.choose(about(name)))))
    expect(spread.size).toBe(3)
  })
})

test.each(['RoundRobin', 'DispatchToSingle', 'Pinned'] as const)(
  '%s sends every event once to one of two consumers, through the client',
  async (consumerStrategyName) => {
    const stream = newStream()
    await used.client.appendToStream(stream, many(40))
    const { consumer, info } = await openGroup(used.client, stream, { consumerStrategyName })
    const [one, two] = [consumer({ acknowledge: true }), consumer({ acknowledge: true })]
    const all = () => [...one.numbers(), ...two.numbers()].toSorted((a, b) => a - b)
    await expect.poll(all).toEqual(Array.from({ length: 40 }, (_, number) => number))
    expect((await info()).settings.consumerStrategyName).toBe(consumerStrategyName)
    // All events are of one stream.
    if (consumerStrategyName === 'Pinned') expect(Math.min(one.got.length, two.got.length)).toBe(0)
  },
)
