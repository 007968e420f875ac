// What goes wrong while a read model is paused or built again: operators' wishes hold all the same, and no row is lost.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ProjectionOptions, type RunningProjection, startProjection } from '../src/projection.ts'
import type { Scratch, Sink, Step } from '../src/sink.ts'
import type { Wish, Wishes } from '../src/wishes.ts'
import { type Following, following } from './following.ts'
import { logger, places, putIn, type TillEvent, tills, tillsOf, until } from './support.ts'

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
    if (!scratch || !sink.wishes) throw new Error('Nobody hears wishes here.')
    wishes = sink.wishes
    return { ...sink, scratch }
  }
  const startLive = async (sink: Sink, change: Partial<typeof tills> = {}) => {
    projection = on.project(change, sink)
    await projection.whenLive()
  }
  const wish = async (fields: Pick<Wish, 'kind' | 'eventId'> & Partial<Wish>) =>
    expect(await wishes.add({ by: 'nils', at: new Date(), ...fields })).toBe(true)
  const seenTo = (kind: Wish['kind']) =>
    until(`${kind} is seen to`, async () => (await wishes.all()).every((one) => one.kind !== kind))
  const skipParked = async () => {
    const [parked] = projection.status().parked
    await wish({ kind: 'skip', eventId: parked?.event.id ?? '', reason: 'never open' })
    await seenTo('skip')
  }

  test('a pause that is wished while a writer is still looking at what is parked holds', async () => {
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

  test('a copy of before that could not be dropped at once is not taken for a new one', async () => {
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
    await seenTo('rebuild')
    expect(failures).toBeGreaterThan(0)
    await until('readers see it', async () => (await on.amounts()).a === 1)
  })

  test('who wrote before the swap cannot write into what was built', async () => {
    const sink = openSink()
    const storeId = await on.store.storeId()
    const from = await sink.claim(storeId)
    const copy = sink.scratch.open()
    const built = await copy.claim(storeId)
    if (!from || !built) throw new Error('A claim was refused.')
    // As many claims in both places.
    expect(built.epoch).toBe(from.epoch)
    await copy.close()
    const swapped = on.place.openSink()
    await swapped.scratch?.swap()
    const step: Step = { from, to: from, keys: new Map(), evolve: () => [] }
    expect(await sink.commit(step)).toBe('superseded')
    await sink.close()
    await swapped.close()
  })

  test('nobody else is let in while a copy takes the place of what serves', async () => {
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
    await seenTo('rebuild')
    expect(claimed).toEqual([undefined])
    await other.close()
  })
})
