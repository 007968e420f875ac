// An operator rebuilds a read model: the current version serves meanwhile, and the new one replaces it atomically.
import { comparePosition } from '@headwater/eventstore/position'
import { places, putIn, type TillEvent, tills, until } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Sink } from '../src/model/sink.ts'
import type { Wish, Wishes } from '../src/operate/wishes.ts'
import { createThrottle } from '../src/run/rebuild.ts'
import type { RunningProjection } from '../src/run/running-projection.ts'
import { type Following, following } from './following.ts'

const broken = (tillId: string): TillEvent => ({ type: 'TillBroken', data: { tillId } })
const of = { kind: 'rebuild', eventId: '' } as const
/** A bug that has also reached the stored rows. */
const doubling: Partial<typeof tills> = {
  project: (event, rows) => {
    tills.project(event, rows)
    if (event.type === 'MoneyPutIn') tills.project(event, rows)
  },
}

describe.each(Object.entries(places))('%s', (_name, openPlace) => {
  let on: Following
  let sink: Sink
  let projection: RunningProjection
  let wishes: Wishes

  beforeEach(async () => {
    on = await following(openPlace)
  })
  afterEach(() => on.remove())

  const start = async (change: Partial<typeof tills> = {}) => {
    if (projection) await on.stop(projection)
    sink = on.place.openSink()
    if (!sink.wishes) throw new Error('Nobody hears wishes here.')
    wishes = sink.wishes
    projection = on.project(change, sink)
  }
  const startLive = async (change: Partial<typeof tills> = {}) => {
    await start(change)
    await projection.whenLive()
  }
  const wish = (fields: Partial<Wish> = {}) => wishes.add({ ...of, by: 'nils', at: new Date(), coresMax: 2, ...fields })
  const isSeenTo = async () => (await wishes.all()).length === 0
  const rebuilt = async (fields: Partial<Wish> = {}) => {
    expect(await wish(fields)).toBe(true)
    await until('it is built again', isSeenTo)
  }

  test('a rebuild corrects rows that a bug has spoiled, and includes events appended during and after it', async () => {
    await startLive(doubling)
    for (let n = 0; n < 30; n++) await on.append(`${n}`, putIn(`${n}`, 1))
    await on.arrived(await on.append('a', putIn('a', 5)))
    expect(await on.amounts()).toMatchObject({ a: 10 })
    await startLive()
    expect(await wish()).toBe(true)
    const appending = (async () => {
      for (let n = 0; n < 30; n++) await on.append(`during-${n}`, putIn(`during-${n}`, 1))
    })()
    const seen: number[] = []
    await until('it is built again', async () => {
      seen.push((await on.place.rows()).value.length)
      return isSeenTo()
    })
    await appending
    await on.arrived(await on.append('b', putIn('b', 1)))
    const amounts = await on.amounts()
    expect(Object.keys(amounts)).toHaveLength(62)
    expect(amounts).toMatchObject({ a: 5, b: 1, 'during-29': 1, '0': 1 })
    // Readers never see fewer rows than before.
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen[0]).toBeGreaterThanOrEqual(31)
  })

  test('a token from before a rebuild is good after it, and the answer names the new build', async () => {
    await startLive()
    await on.arrived(await on.append('a', putIn('a', 1)))
    const { token, checkpoint, build } = await on.place.rows()
    await rebuilt()
    await until('it serves', async () => (await on.place.rows()).build !== build)
    expect(await on.place.changesSince(token)).toMatchObject({
      changes: [],
      build: expect.not.stringMatching(`^${build}$`),
    })
    const now = await on.place.rows()
    expect(comparePosition(now.checkpoint, checkpoint)).toBeGreaterThanOrEqual(0)
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(await on.place.changesSince(now.token)).toMatchObject({ changes: [{ key: 'a', after: { amount: 2 } }] })
  })

  test('rebuilds can be repeated, and leave no earlier copies', async () => {
    await startLive()
    await on.arrived(await on.append('a', putIn('a', 1)))
    for (let n = 0; n < 3; n++) await rebuilt()
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(await on.amounts()).toEqual({ a: 2 })
    await startLive()
    expect(await on.amounts()).toEqual({ a: 2 })
    expect(await on.place.leftovers()).toEqual([])
  })

  test('a second rebuild is refused, progress is recorded, and removing the request ends the rebuild', async () => {
    for (let n = 0; n < 20; n++) await on.append(`${n}`, putIn(`${n}`, 1))
    await startLive()
    expect(await wish({ coresMax: 0.000_1 })).toBe(true)
    expect(await wish()).toBe(false)
    await until('progress is recorded', async () => (await wishes.all())[0]?.progress !== undefined)
    const [request] = await wishes.all()
    expect(request?.progress).toMatchObject({
      events: expect.any(Number),
      position: expect.stringMatching(/^\d+\/\d+$/),
    })
    expect(request?.by).toBe('nils')
    await wishes.remove(of)
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(Object.keys(await on.amounts())).toHaveLength(21)
    await rebuilt()
    expect(Object.keys(await on.amounts())).toHaveLength(21)
  })

  test('a process that ends during a rebuild leaves it to the next process, which resumes it', async () => {
    await on.append('a', putIn('a', 1))
    await startLive()
    await wish({ coresMax: 0.000_1 })
    await until('it has built', async () => ((await wishes.all())[0]?.progress?.events ?? 0) > 0)
    await on.stop(projection)
    const next = on.place.openSink()
    let drops = 0
    const drop = async () => void drops++
    projection = on.project({}, next.scratch ? { ...next, scratch: { ...next.scratch, drop } } : next)
    await on.arrived(await on.append('b', putIn('b', 1)))
    // A new request with more cores resumes the same copy.
    await next.wishes?.remove(of)
    await next.wishes?.add({ ...of, by: 'nils', at: new Date(), coresMax: 2, goesOn: true })
    await until('it is built again', async () => (await next.wishes?.all())?.length === 0)
    expect(await on.amounts()).toEqual({ a: 1, b: 1 })
    expect(drops).toBe(0)
  })

  test('skipped events stay skipped, and parked events are parked again', async () => {
    await startLive()
    await on.append('b', broken('b'), putIn('b', 1))
    await on.arrived(await on.append('a', putIn('a', 1), broken('a')))
    const skipped = projection.status().parked.find(({ event }) => event.stream === on.streamOf('b'))
    await wishes.add({
      kind: 'skip',
      eventId: skipped?.event.id ?? '',
      reason: 'never open',
      by: 'nils',
      at: new Date(),
    })
    await until('it is skipped', isSeenTo)
    await rebuilt()
    await until('it follows', () => projection.status().state === 'live')
    expect(await on.amounts()).toEqual({ a: 1, b: 1 })
    expect(projection.status().parked).toMatchObject([{ event: { stream: on.streamOf('a') } }])
    expect((await on.place.rows()).parkedStreams).toEqual([on.streamOf('a')])
  })

  test('a stopped read model that needs a rebuild is complete after it', async () => {
    const strange = on.place.openSink()
    const claimed = await strange.claim('d5f5b7c6-9f2f-4df0-bfd4-0b3a7d3a1f4e')
    if (!claimed) throw new Error('The claim was refused.')
    await strange.close()
    await on.append('a', putIn('a', 1))
    await start()
    await until('it stops', () => projection.status().state === 'stopped')
    expect(projection.status()).toMatchObject({ rebuildNeeded: true })
    await rebuilt()
    await until('it follows', () => projection.status().state === 'live')
    expect(projection.status()).toMatchObject({ reason: undefined, rebuildNeeded: false })
    await until('readers see it', async () => (await on.amounts()).a === 1)
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(await on.amounts()).toEqual({ a: 2 })
  })

  test('of two writers the active one rebuilds, and the other can take over afterwards', async () => {
    await startLive()
    await on.arrived(await on.append('a', putIn('a', 1)))
    const second = on.project()
    await until('one stands by', async () => {
      await on.append('a', putIn('a', 1))
      return [projection, second].some((one) => one.status().state === 'standing by')
    })
    await rebuilt()
    const active = () => [projection, second].find((one) => one.status().state === 'live')
    await until('one works', () => active() !== undefined)
    const gone = active()
    if (gone) await on.stop(gone)
    const position = await on.append('b', putIn('b', 1))
    await on.arrived(position)
    expect(await on.amounts()).toMatchObject({ b: 1 })
    projection = [projection, second].find((one) => one !== gone) ?? projection
  })
})

test('a throttle keeps the processor use of a process below its limit', async () => {
  const ending = new AbortController()
  const throttle = createThrottle(0.5, ending.signal)
  const burn = (ms: number) => {
    const { user: before } = process.cpuUsage()
    while (process.cpuUsage().user - before < ms * 1_000);
  }
  const from = performance.now()
  const usage = process.cpuUsage()
  for (let n = 0; n < 5; n++) {
    burn(20)
    await throttle()
  }
  const { user, system } = process.cpuUsage(usage)
  expect((user + system) / 1_000 / (performance.now() - from)).toBeLessThan(0.6)
})
