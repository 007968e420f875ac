// Events as stored and as the code knows them.
import { describe, expect, test } from 'vitest'
import { createCodec, type StoredEvent } from '../src/codec.ts'
import { beginning } from '../src/position.ts'

type Named = { type: 'Named'; data: { name: string } }
const stored = (type: string, data: object): StoredEvent => ({
  id: 'e',
  stream: 'thing-1',
  revision: 2n ** 60n,
  position: beginning,
  type,
  data,
  metadata: {},
  recordedAt: new Date(0),
})

describe('codec', () => {
  test('data of an older shape is brought to today’s', () => {
    const codec = createCodec<Named>(
      { Named: true },
      { Named: ({ user, name }: { user?: string; name?: string }) => ({ name: name ?? user }) },
    )
    expect(codec.decode(stored('Named', { user: 'Ada' })).data).toEqual({ name: 'Ada' })
    expect(codec.decode(stored('Named', { name: 'Ada' })).data).toEqual({ name: 'Ada' })
  })

  test('an unknown type is refused with its place, also past 2^53', () => {
    const codec = createCodec<Named>({ Named: true })
    expect(codec.knows('Renamed')).toBe(false)
    expect(() => codec.decode(stored('Renamed', {}))).toThrow(
      expect.objectContaining({
        code: 'unknown_event_type',
        details: { type: 'Renamed', revision: '1152921504606846976' },
      }),
    )
  })

  test('no type is known by a name that every object has', () => {
    expect(() => createCodec<Named>({ Named: true }).decode(stored('constructor', {}))).toThrow()
  })
})
