// Decoding stored events into the shapes of the code.
import { describe, expect, test } from 'vitest'
import { createCodec, type StoredEvent } from '../src/codec.ts'
import { beginning } from '../src/position.ts'

type Named = { type: 'Named'; data: { name: string } }
const stored = (type: string, data: object, metadata: StoredEvent['metadata'] = {}): StoredEvent => ({
  id: 'e',
  stream: 'thing-1',
  revision: 2n ** 60n,
  position: beginning,
  type,
  data,
  metadata,
  recordedAt: new Date(0),
})
const unchanged = createCodec<Named>({ events: { schemas: { Named: true }, upcasts: {} } })
const changed = createCodec<Named>({
  events: {
    schemas: { Named: true },
    upcasts: {
      Named: {
        to: 3,
        from: {
          1: ({ user }: { user: string }) => ({ name: user }),
          2: ({ first, last }: { first: string; last: string }) => ({ name: `${first} ${last}` }),
        },
      },
    },
  },
})

describe('codec', () => {
  test.each([
    [{}, { user: 'Ada Lovelace' }],
    [{ schema: 1 }, { user: 'Ada Lovelace' }],
    [{ schema: 2 }, { first: 'Ada', last: 'Lovelace' }],
    [{ schema: 3 }, { name: 'Ada Lovelace' }],
  ])('data of an older shape is upcast to today’s: %j %j', (metadata, data) => {
    const event = stored('Named', data, metadata)
    expect(changed.decode(event)).toEqual({ ...event, data: { name: 'Ada Lovelace' } })
  })

  test('new events carry the version of their shape', () => {
    expect([unchanged.schemaOf('Named'), changed.schemaOf('Named')]).toEqual([1, 3])
  })

  test.each([
    ['a type', unchanged, stored('Renamed', {}, { schema: 1 })],
    ['a newer shape', unchanged, stored('Named', { first: 'Ada', last: 'Lovelace' }, { schema: 2 })],
    ['a shape that never was', changed, stored('Named', {}, { schema: 'constructor' })],
    ['a type by a name that every object has', unchanged, stored('constructor', {}, { schema: 1 })],
  ])('%s that this release does not know is refused with its position, also beyond 2^53', (_what, codec, event) => {
    expect(codec.knows(event)).toBe(false)
    const { type, metadata } = event
    const details = { type, schema: metadata.schema, revision: '1152921504606846976' }
    expect(() => codec.decode(event)).toThrow(expect.objectContaining({ code: 'unknown_event_type', details }))
  })

  test('events of known types and versions are known', () => {
    expect(unchanged.knows(stored('Named', {}))).toBe(true)
    expect([1, 2, 3, 4].map((schema) => changed.knows(stored('Named', {}, { schema })))).toEqual([
      true,
      true,
      true,
      false,
    ])
  })
})
