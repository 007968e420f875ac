// An event that cannot be projected parks its stream: other streams continue, and none of its events is lost, doubled or out of order.
import { createCodec } from '@headwater/eventstore/codec'
import { at, deletedAt, places, putIn, type TillEvent, tills, until } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitingReader } from '../src/freshness/read-waiting.ts'
import { Halt } from '../src/model/halt.ts'
import type { Sink } from '../src/model/sink.ts'
import type { Wish } from '../src/operate/wishes.ts'
import { projectionStatus } from '../src/run/projection-status.ts'
import type { RunningProjection } from '../src/run/running-projection.ts'
import { type Following, following } from './following.ts'

const broken = (tillId: string): TillEvent => ({ type: 'TillBroken', data: { tillId } })
const noted = (tillId: string, amount: number, note: string): TillEvent => ({
  type: 'MoneyPutIn',
  data: { tillId, amount, note },
})
/** The release that fixes the bug. */
const corrected: Partial<typeof tills> = {
  project: (event, rows) => (event.type === 'TillBroken' ? undefined : tills.project(event, rows)),
}

test('rows are still removed for a deletion that an earlier release parked', async () => {
  const reader = waitingReader({
    read: async () => 'deleted',
    parks: 'stream',
    until: () => at(9),
    isSkipped: () => false,
  })
  const { data: _, metadata: __, recordedAt: ___, ...parked } = deletedAt(7, 'till-a')
  expect(await reader(parked, parked.revision)).toMatchObject([{ ...parked, type: '$streamDeleted' }])
  expect(await reader(parked, parked.revision + 1n)).toEqual([])
})

describe.each(Object.entries(places))('%s', (_name, openPlace) => {
  let on: Following
  let sink: Sink
  let projection: RunningProjection

  beforeEach(async () => {
    on = await following(openPlace)
    sink = on.place.openSink()
  })
  afterEach(() => on.remove())

  const start = async (change: Partial<typeof tills> = {}) => {
    projection = on.project(change, sink)
    await projection.whenLive()
  }
  const deploy = async (change: Partial<typeof tills> = {}) => {
    await on.stop(projection)
    sink = on.place.openSink()
    await start(change)
  }
  const parked = () => projection.status().parked
  /** Waits: readers may see it parked a moment before its writer knows. */
  const parkedId = async () => {
    await until('something is parked', () => parked().length > 0)
    return parked()[0]?.event.id ?? ''
  }

  /** Resolves once the projection has applied the request. */
  const wish = async (kind: Wish['kind'], eventId = '', reason?: string) => {
    const wishes = sink.wishes
    if (!wishes) throw new Error('This sink takes no operator requests.')
    expect(await wishes.add({ kind, eventId, reason, by: 'nils', at: new Date() })).toBe(true)
    if (kind === 'retry' || kind === 'skip')
      await until(`${kind} is applied`, async () => (await wishes.all()).every((one) => one.kind !== kind))
  }

  test('its stream waits while others continue, and a later release projects it in order', async () => {
    await on.append('a', putIn('a', 1))
    await start()
    await on.append('b', putIn('b', 1), broken('b'), noted('b', 1, 'after the break'))
    await on.arrived(await on.append('c', putIn('c', 1)))
    await on.arrived(await on.append('b', noted('b', 1, 'much later')))

    expect(await on.amounts()).toEqual({ a: 1, b: 1, c: 1 })
    expect(projection.status()).toMatchObject({ state: 'live', reason: undefined })
    expect(parked()).toMatchObject([
      { event: { type: 'TillBroken', stream: on.streamOf('b'), revision: 1n }, error: 'a broken till', tries: 3 },
    ])
    expect((await on.place.rows()).parkedStreams).toEqual([on.streamOf('b')])
    await until('nothing is missing', async () => (await projection.lagMs()) === 0)

    await deploy(corrected)
    expect(parked()).toEqual([])
    const { value, parkedStreams } = await on.place.rows()
    expect(value).toContainEqual({ tillId: 'b', amount: 3, note: 'much later', revision: 3 })
    expect(parkedStreams).toEqual([])
  })

  test('it is still parked after a restart, which tries it again', async () => {
    await on.append('b', broken('b'), putIn('b', 1))
    await start()
    const [{ tries: before = 0, parkedAt } = {}] = parked()
    await deploy()
    expect(parked()).toMatchObject([{ tries: before + 1, parkedAt }])
    expect(await on.amounts()).toEqual({})
  })

  test("an operator's retry fails while the bug is there, and succeeds once it is fixed", async () => {
    let isMended = false
    await start({
      project: (event, rows) => (isMended && event.type === 'TillBroken' ? undefined : tills.project(event, rows)),
    })
    await on.arrived(await on.append('b', putIn('b', 1), broken('b'), putIn('b', 2), putIn('b', 3)))
    await wish('retry', await parkedId())
    expect(parked()).toMatchObject([{ event: { revision: 1n }, tries: 4 }])
    isMended = true
    await wish('retry', await parkedId())
    expect(parked()).toEqual([])
    expect(await on.amounts()).toEqual({ b: 6 })
    await on.arrived(await on.append('b', putIn('b', 4)))
    expect(await on.amounts()).toEqual({ b: 10 })
  })

  test('an event that an operator skips stays skipped, and the next bad event of its stream is parked', async () => {
    await start()
    await on.arrived(await on.append('b', putIn('b', 1), broken('b'), putIn('b', 2), broken('b'), putIn('b', 4)))
    await wish('skip', await parkedId(), 'it was never open')
    expect(await on.amounts()).toEqual({ b: 3 })
    expect(parked()).toMatchObject([{ event: { revision: 3n } }])
    await wish('skip', await parkedId(), 'nor was it then')
    expect(await on.amounts()).toEqual({ b: 7 })
    expect(parked()).toEqual([])
    expect((await on.place.rows()).parkedStreams).toEqual([])
    await deploy()
    expect(await on.amounts()).toEqual({ b: 7 })
    expect((await sink.parked()).map(({ skipped }) => skipped)).toMatchObject([
      { reason: 'it was never open', by: 'nils' },
      { reason: 'nor was it then', by: 'nils' },
    ])
  })

  test('the last event of a stream can be skipped, and later events are projected', async () => {
    await start()
    await on.arrived(await on.append('b', putIn('b', 1), broken('b')))
    await wish('skip', await parkedId(), 'it was never open')
    expect(parked()).toEqual([])
    await on.arrived(await on.append('b', putIn('b', 2)))
    expect(await on.amounts()).toEqual({ b: 3 })
  })

  test('a request for an event that is not parked has no effect', async () => {
    await start()
    await wish('retry', 'd5f5b7c6-9f2f-4df0-bfd4-0b3a7d3a1f4e')
    await wish('skip', 'd5f5b7c6-9f2f-4df0-bfd4-0b3a7d3a1f4e', 'no reason')
    expect(await sink.parked()).toEqual([])
  })

  test.each([
    ['NUL', '\0'],
    ['half a surrogate pair', '\ud800'],
  ])('%s in an old event parks nothing: rows have U+FFFD instead, and such events are counted', async (_what, odd) => {
    await on.append(`b${odd}`, noted(`b${odd}`, 1, `odd ${odd}`), noted(`b${odd}`, 2, 'plain'))
    await start()
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(parked()).toEqual([])
    expect((await on.place.rows()).value).toMatchObject([
      { tillId: 'a' },
      { tillId: 'b\ufffd', amount: 3, note: 'plain' },
    ])
    expect((await sink.checkpoint()).replacedTexts).toBe(2)
  })

  test.each([
    ['NUL', '\0'],
    ['half a surrogate pair', '\ud800'],
  ])('%s in the name of its stream and in the error does not prevent parking', async (_what, odd) => {
    const project: (typeof tills)['project'] = (event, rows) => {
      if (event.type === 'TillBroken') throw new Error(`${odd} ${event.stream}`)
      tills.project(event, rows)
    }
    await on.append(`b${odd}`, broken(`b${odd}`), putIn(`b${odd}`, 1))
    await start({ project })
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(parked()).toMatchObject([{ event: { type: 'TillBroken' }, error: expect.stringContaining('\ufffd') }])
    expect((await on.place.rows()).parkedStreams).toEqual([on.streamOf('b\ufffd')])
    await wish('skip', await parkedId(), 'it was never open')
    expect(await on.amounts()).toEqual({ a: 1, 'b\ufffd': 1 })
  })

  test('an event that cannot be parked either becomes a dead letter: its stream waits, and others continue', async () => {
    await start()
    const mend = await on.place.refuseParking()
    await on.arrived(await on.append('b', putIn('b', 1), broken('b'), putIn('b', 1)))
    await on.arrived(await on.append('c', broken('c')))
    await on.arrived(await on.append('d', putIn('d', 1)))
    const [bad] = await on.store.readStream(on.streamOf('b'), 1n, 1)
    expect(await on.amounts()).toEqual({ b: 1, d: 1 })
    expect((await sink.checkpoint()).deadLetters).toEqual([
      { number: 1, eventId: bad?.id, position: bad?.position, at: expect.any(Date) },
      expect.objectContaining({ number: 2 }),
    ])
    // The rows do not name the stream that waits.
    expect((await on.place.rows()).parkedStreams).toEqual(['', ''])
    const trouble = '2 events could not be projected, 2 of them not even parked: npm run headwater -- parked list'
    expect(await projectionStatus(projection)()).toMatchObject({ state: 'live', trouble, parked: 2, deadLetters: 2 })

    await deploy()
    expect(parked()).toMatchObject([{ event: { id: bad?.id, type: 'TillBroken' }, deadLetter: 1 }, { deadLetter: 2 }])
    await mend()
    await wish('skip', bad?.id, 'it was never open')
    await deploy(corrected)
    expect(await on.amounts()).toEqual({ b: 2, d: 1 })
    expect((await on.place.rows()).parkedStreams).toEqual([])
    expect(await sink.parked()).toMatchObject([{ event: { id: bad?.id }, skipped: { by: 'nils' } }])
  })

  test('an event that stops the projection and cannot be listed stays one dead letter over several restarts', async () => {
    await start({ parkedMax: 0 })
    const mend = await on.place.refuseParking()
    await on.append('b', broken('b'))
    const [bad] = await on.store.readStream(on.streamOf('b'), 0n, 1)
    const isStopped = () => projection.status().state === 'stopped'
    await until('it has stopped', isStopped)
    for (const _ of ['restarted', 'and again']) {
      await on.stop(projection)
      sink = on.place.openSink()
      projection = on.project({ parkedMax: 0 }, sink)
      await until('it has stopped again', isStopped)
    }
    expect((await sink.checkpoint()).deadLetters).toMatchObject([{ number: 1, eventId: bad?.id, stops: true }])
    await mend()
  })

  test('a deleted stream has no parked events and no rows', async () => {
    await on.append('a', putIn('a', 1), broken('a'), putIn('a', 1))
    await on.append('b', putIn('b', 1), broken('b'))
    await start()
    await on.store.tombstone(on.streamOf('a'))
    await on.arrived(await on.append('c', putIn('c', 1)))
    expect(await on.amounts()).toEqual({ b: 1, c: 1 })
    expect(parked()).toMatchObject([{ event: { stream: on.streamOf('b') } }])
    // Also when the stream is deleted while the projection is stopped.
    await on.stop(projection)
    await on.store.tombstone(on.streamOf('b'))
    sink = on.place.openSink()
    await start()
    expect(await on.amounts()).toEqual({ c: 1 })
    expect(parked()).toEqual([])
  })

  test('in streams with many owners an event is parked alone', async () => {
    await start({ parks: 'event' })
    await on.arrived(await on.append('a', putIn('a', 1), broken('a'), putIn('a', 1), broken('a'), putIn('a', 1)))
    expect(await on.amounts()).toEqual({ a: 3 })
    await until('both are parked', () => parked().length === 2)
    await wish('skip', await parkedId(), 'it was never open')
    expect(parked()).toMatchObject([{ event: { revision: 3n } }])
    await deploy({ ...corrected, parks: 'event' })
    expect(parked()).toEqual([])
    expect(await on.amounts()).toEqual({ a: 3 })
  })

  test('an event of an unknown type parks its stream until a newer release is deployed', async () => {
    await on.append('a', putIn('a', 1), { type: 'TillPainted', data: { tillId: 'a' } } as unknown as TillEvent)
    await on.append('a', putIn('a', 1))
    await start()
    expect(parked()).toMatchObject([{ event: { type: 'TillPainted', revision: 1n } }])
    expect(await on.amounts()).toEqual({ a: 1 })
    const schemas = { MoneyPutIn: true, TillClosed: true, TillBroken: true, TillPainted: true }
    const codec = createCodec<TillEvent>({ events: { schemas, upcasts: {} } })
    await deploy({ codec })
    expect(await on.amounts()).toEqual({ a: 2 })
  })

  test('an event whose rows the store refuses parks its stream', async () => {
    await start()
    await on.arrived(await on.append('a', putIn('a', 1), putIn('a', 0.5), putIn('a', 1)))
    await parkedId()
    expect(parked()).toMatchObject([{ event: { revision: 1n } }])
    expect(await on.amounts()).toEqual({ a: 1 })
  })

  test('live readers need a new snapshot when a stream is parked and when it continues', async () => {
    await on.append('a', putIn('a', 1))
    await start()
    const { token: before } = await on.place.rows()
    await on.arrived(await on.append('b', putIn('b', 1), broken('b'), putIn('b', 1)))
    expect(await on.place.changesSince(before)).toBe('snapshot needed')
    const { token: whileParked } = await on.place.rows()
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(await on.place.changesSince(whileParked)).toMatchObject({ changes: [{ key: 'a' }] })
    const { token: atTheEnd } = await on.place.rows()
    await wish('skip', await parkedId(), 'it was never open')
    // Rows have changed while the position has not.
    expect(await on.place.changesSince(atTheEnd)).toBe('snapshot needed')
    const { token: after } = await on.place.rows()
    expect(await on.place.changesSince(after)).toMatchObject({ changes: [], token: after })
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(await on.place.changesSince(after)).toMatchObject({ changes: [{ key: 'a', after: { amount: 3 } }] })
  })

  test('a retry whose answer is lost is not applied twice', async () => {
    const lost = new Error('the answer is lost')
    const next = on.place.openSink()
    const deaf: Sink = {
      ...next,
      blame: (error) => (error === lost ? 'unavailable' : next.blame(error)),
      commit: async (step) => {
        const outcome = await next.commit(step)
        if (step.parking?.removed.length && answers++ === 0) throw lost
        return outcome
      },
    }
    let answers = 0
    await on.append('b', putIn('b', 1), broken('b'), putIn('b', 2))
    await start()
    await on.stop(projection)
    projection = on.project(corrected, deaf)
    await projection.whenLive()
    expect(answers).toBeGreaterThan(0)
    expect(await on.amounts()).toEqual({ b: 3 })
  })

  test('more than a page of waiting events is projected, also after an interruption', async () => {
    const waiting = Array.from({ length: 600 }, () => putIn('b', 1))
    await on.append('b', broken('b'), ...waiting.slice(0, 10), broken('b'), ...waiting.slice(10), ...waiting)
    await start()
    await wish('skip', await parkedId(), 'one in the middle is skipped')
    await wish('skip', await parkedId(), 'when all of it is projected again')
    expect(await on.amounts()).toEqual({ b: 1_200 })
    await on.append('c', broken('c'), ...waiting.map(() => putIn('c', 1)), ...waiting.map(() => putIn('c', 1)))
    await on.arrived(await on.append('d', putIn('d', 1)))
    await on.stop(projection)
    const next = on.place.openSink()
    const cut: Sink = {
      ...next,
      commit: async (step) => {
        if (step.parking?.removed.length && steps++ === 1) throw new Halt('cut off')
        return next.commit(step)
      },
    }
    let steps = 0
    projection = on.project(corrected, cut)
    await until('it ends', () => projection.status().state === 'stopped')
    expect(await on.amounts()).toEqual({ b: 1_200, c: 499, d: 1 })
    expect((await on.place.rows()).parkedStreams).toEqual([on.streamOf('c')])
    await deploy(corrected)
    expect(await on.amounts()).toEqual({ b: 1_200, c: 1_200, d: 1 })
    expect((await sink.parked()).every(({ skipped }) => skipped)).toBe(true)
  })

  test('a paused read model projects no events, and misses none after it is resumed', async () => {
    await start()
    await on.arrived(await on.append('a', putIn('a', 1)))
    await wish('pause')
    await until('it is paused', () => projection.status().state === 'paused')
    expect(projection.status().reason).toMatch(/^Paused by nils since/)
    const position = await on.append('a', putIn('a', 1))
    // It stays paused in the next process.
    await on.stop(projection)
    sink = on.place.openSink()
    projection = on.project({}, sink)
    await until('it is paused again', () => projection.status().reason?.startsWith('Paused') ?? false)
    expect(await on.amounts()).toEqual({ a: 1 })
    await sink.wishes?.remove({ kind: 'pause', eventId: '' })
    await on.arrived(position)
    expect(await on.amounts()).toEqual({ a: 2 })
    expect(projection.status().reason).toBeUndefined()
  })

  test('above the limit of parked events the projection stops, names the event, and continues when it is skipped', async () => {
    const few = { parkedMax: 1 }
    await on.append('a', putIn('a', 1), broken('a'))
    await start(few)
    const position = await on.append('b', putIn('b', 1), broken('b'), putIn('b', 1))
    const [bad] = await on.store.readStream(on.streamOf('b'), 1n, 1)
    await expect.poll(projectionStatus(projection)).toMatchObject({
      ended: true,
      event: { id: bad?.id, stream: on.streamOf('b'), type: 'TillBroken' },
      trouble: expect.stringMatching(`^Stopped at the event ${bad?.id}: .*1 are parked already. a broken till$`),
    })
    expect(await on.amounts()).toEqual({ a: 1, b: 1 })
    expect((await sink.parked()).filter(({ stops }) => stops)).toMatchObject([{ event: { id: bad?.id } }])

    // The next process meets it again, and applies operator requests first.
    await on.stop(projection)
    sink = on.place.openSink()
    projection = on.project(few, sink)
    await until('it stops there again', () => projection.status().event?.id === bad?.id)
    await wish('retry', bad?.id)
    await until('it stops there once more', () => projection.status().event?.id === bad?.id)
    await wish('skip', bad?.id, 'it was never open')
    await on.arrived(position)
    expect(await on.amounts()).toEqual({ a: 1, b: 2 })
    expect(projection.status()).toMatchObject({
      state: 'live',
      event: undefined,
      parked: [{ event: { type: 'TillBroken' } }],
    })
  })

  test('a stopped projection continues after a rebuild with a skip, and in a release that can project the event', async () => {
    await start({ parkedMax: 0 })
    const position = await on.append('b', broken('b'), putIn('b', 1))
    await until('it stops', () => projection.status().state === 'stopped')
    const [bad] = await sink.parked()
    await wish('rebuild')
    await wish('skip', bad?.event.id, 'it was never open')
    await on.arrived(position)
    await until('it is rebuilt', async () => (await sink.wishes?.all())?.length === 0)
    expect(await on.amounts()).toEqual({ b: 1 })
    expect(await sink.parked()).toMatchObject([{ skipped: { reason: 'it was never open' }, stops: undefined }])

    const next = await on.append('c', broken('c'), putIn('c', 1))
    await until('it stops at the next', () => projection.status().state === 'stopped')
    await deploy(corrected)
    await on.arrived(next)
    expect(await on.amounts()).toEqual({ b: 1, c: 1 })
    expect(await sink.parked()).toHaveLength(1)
  })
})
