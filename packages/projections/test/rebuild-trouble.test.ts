// Faults during a pause or a rebuild of a read model: operator requests still hold, and no row is lost.

import { logger, places, putIn, type TillEvent, tills, tillsOf, until } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Scratch, Sink, Step } from '../src/model/sink.ts'
import type { Wish, Wishes } from '../src/operate/wishes.ts'
import { type ProjectionOptions, startProjection } from '../src/run/projection.ts'
import type { RunningProjection } from '../src/run/running-projection.ts'
import { type Following, following } from './following.ts'

const broken = (tillId: string): TillEvent => ({ type: 'TillBroken', data: { tillId } })
const rebuild = { kind: 'rebuild', eventId: '', coresMax: 2 } as const
const doubling: Partial<typeof tills> = {
  project: (event, rows) => {
    tills.project(event, rows)
    if (event.type === 'MoneyPutIn') tills.project(event, rows)
  },
}

describe.each(Object.entries(places))('%s', (_name, openPlace) => {
  let on: Following
  let projection: RunningProjection
  let wishes: Wishes

  beforeEach(async () => {
    on = await following(openPlace)
  })
  afterEach(() => on.remove())

  const openSink = (): Sink & { readonly scratch: Scratch } => {
    const sink = on.place.openSink()
    const { scratch } = sink
    if (!scratch || !sink.wishes) throw new Error('This sink takes no operator requests.')
    wishes = sink.wishes
    return { ...sink, scratch }
  }
  const startLive = async (sink: Sink, change: Partial<typeof tills> = {}) => {
    projection = on.project(change, sink)
    await projection.whenLive()
  }
  const wish = async (fields: Pick<Wish, 'kind' | 'eventId'> & Partial<Wish>) =>
    expect(await wishes.add({ by: 'nils', at: new Date(), ...fields })).toBe(true)
  const whenApplied = (kind: Wish['kind']) =>
    until(`${kind} is applied`, async () => (await wishes.all()).every((one) => one.kind !== kind))
  const skipParked = async () => {
    const [parked] = projection.status().parked
    await wish({ kind: 'skip', eventId: parked?.event.id ?? '', reason: 'never open' })
    await whenApplied('skip')
  }

  test('a pause requested while a starting writer reads the parked events holds', async () => {
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const sink = openSink()
    const slow: Sink = {
      ...sink,
      parked: async () => {
        asked.resolve()
        await gate.promise
        return sink.parked()
      },
    }
    const subscribedWhile: unknown[] = []
    const store: typeof on.store = {
      ...on.store,
      subscribe: (...asked) => {
        subscribedWhile.push(projection.status().reason)
        return on.store.subscribe(...asked)
      },
    }
    projection = on.project({}, slow, store)
    await asked.promise
    await wish({ kind: 'pause', eventId: '' })
    await until('it is paused', () => projection.status().reason?.startsWith('Paused') ?? false)
    gate.resolve()
    await on.append('a', putIn('a', 1))
    await wishes.remove({ kind: 'pause', eventId: '' })
    await on.arrived(await on.append('a', putIn('a', 1)))
    expect(subscribedWhile).toEqual([undefined])
  })

  test('an event skipped during a rebuild is skipped in the copy', async () => {
    const [parked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { scratch, ...sink } = openSink()
    const open = () => {
      const copy = scratch.open()
      let hasParked = false
      const commit = async (step: Step) => {
        if (hasParked) await gate.promise
        const outcome = await copy.commit(step)
        if (step.parking) hasParked = true
        if (step.parking) parked.resolve()
        return outcome
      }
      return { ...copy, commit }
    }
    await startLive({ ...sink, scratch: { ...scratch, open } })
    await on.arrived(await on.append('b', putIn('b', 1), broken('b'), putIn('b', 1)))
    await wish(rebuild)
    await parked.promise
    await skipParked()
    gate.resolve()
    await whenApplied('rebuild')
    await until('it follows', () => projection.status().state === 'live')
    expect(projection.status().parked).toEqual([])
    expect(await sink.parked()).toMatchObject([{ skipped: { reason: 'never open', by: 'nils' } }])
    expect(await on.amounts()).toEqual({ b: 2 })
  })

  test('a skipped event stays skipped when a stopped read model is rebuilt', async () => {
    const sink = openSink()
    const failing: Sink = {
      ...sink,
      commit: async (step) => (isFailing ? Promise.reject(new Error('a bug')) : sink.commit(step)),
      blame: (error) => (String(error).includes('a bug') ? undefined : sink.blame(error)),
    }
    let isFailing = false
    await startLive(failing)
    await on.arrived(await on.append('b', putIn('b', 1), broken('b'), putIn('b', 1)))
    await skipParked()
    isFailing = true
    await on.append('c', putIn('c', 1))
    await until('it stops', () => projection.status().state === 'stopped')
    isFailing = false
    await wish(rebuild)
    await whenApplied('rebuild')
    await until('it follows', () => projection.status().state === 'live')
    expect(projection.status().parked).toEqual([])
    await until('readers see it', async () => (await on.amounts()).c === 1)
    expect(await on.amounts()).toEqual({ b: 2, c: 1 })
  })

  test('a copy that could project an event lists it neither as parked nor as skipped', async () => {
    const sink = openSink()
    await startLive(sink)
    await on.arrived(await on.append('b', putIn('b', 1), broken('b'), putIn('b', 1)))
    await skipParked()
    const skipped = await sink.parked()
    const build = async (change: Partial<typeof tills>, options: Pick<ProjectionOptions<never, never>, 'skipped'>) => {
      const copy = sink.scratch.open()
      const building = startProjection({
        store: on.store,
        sink: copy,
        projection: { ...tillsOf(on.category), ...change },
        logger,
        ...options,
      })
      await building.whenLive()
      const parked = await copy.parked()
      await building.stop()
      return parked
    }
    const project: typeof tills.project = (event, rows) =>
      event.type === 'TillBroken' ? undefined : tills.project(event, rows)
    expect(await build({ project }, {})).toEqual([])
    expect(await build({}, { skipped })).toEqual([])
  })

  test('an earlier copy that could not be dropped at first is dropped before a new rebuild', async () => {
    await on.append('a', putIn('a', 1))
    await startLive(openSink(), doubling)
    await wish({ ...rebuild, coresMax: 0.000_1 })
    await until('it has built', async () => ((await wishes.all())[0]?.progress?.events ?? 0) > 0)
    await wishes.remove(rebuild)
    await on.stop(projection)
    const { scratch, ...sink } = openSink()
    let failures = 0
    const drop = async () => {
      if (failures++ === 0) throw new Error('not now')
      await scratch.drop()
    }
    await startLive({ ...sink, scratch: { ...scratch, drop } })
    await wish(rebuild)
    await whenApplied('rebuild')
    expect(failures).toBeGreaterThan(0)
    await until('readers see it', async () => (await on.amounts()).a === 1)
  })

  test('a writer from before the swap cannot write into the new copy', async () => {
    const sink = openSink()
    const storeId = await on.store.storeId()
    const from = await sink.claim(storeId)
    const copy = sink.scratch.open()
    const built = await copy.claim(storeId)
    if (!from || !built) throw new Error('A claim was refused.')
    // Both were claimed equally often.
    expect(built.epoch).toBe(from.epoch)
    await copy.close()
    const swapped = on.place.openSink()
    await swapped.scratch?.swap()
    const step: Step = { from, to: from, keys: new Map(), evolve: () => [] }
    expect(await sink.commit(step)).toBe('superseded')
    await sink.close()
    await swapped.close()
  })

  test('no other writer can claim the read model during the swap', async () => {
    const other = on.place.openSink()
    const { scratch, ...sink } = openSink()
    if (!sink.claimsExpire) return
    const claimed: unknown[] = []
    const swap = async () => {
      claimed.push(await other.claim(await on.store.storeId()))
      await scratch.swap()
    }
    await startLive({ ...sink, scratch: { ...scratch, swap } })
    await wish(rebuild)
    await whenApplied('rebuild')
    expect(claimed).toEqual([undefined])
    await other.close()
  })

  test('a stopped projection stands by once another process has taken over', async () => {
    const sink = openSink()
    if (!sink.claimsExpire) return
    let isFailing = false
    const failing: Sink = {
      ...sink,
      commit: async (step) => (isFailing ? Promise.reject(new Error('a bug')) : sink.commit(step)),
      blame: (error) => (String(error).includes('a bug') ? undefined : sink.blame(error)),
    }
    await startLive(failing)
    const first = projection
    isFailing = true
    await on.append('a', putIn('a', 1))
    await until('it stops', () => first.status().state === 'stopped')
    await startLive(openSink())
    await until('it stands by', () => first.status().state === 'standing by')
    expect(first.status().reason).toBeUndefined()
  })
})
