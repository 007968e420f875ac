// Rows that are removed by a column: more of them than a step may hold are removed in parts, in one transaction.
import { places, putIn, type TillEvent, type TillRow, type tills } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rowsRemovedMax } from '../src/model/removal.ts'
import { type Following, following } from './following.ts'

const closeAll = (tillId: string): TillEvent => ({ type: 'TillClosed', data: { tillId } })

/** An amount is that many rows, whose note is their till. */
const many: Partial<typeof tills> = {
  owned: { tills: { column: 'note' } },
  keys: (event) => {
    const { tillId } = event.data
    if (event.type !== 'MoneyPutIn') return { tills: [{ where: ['note', tillId] }] }
    return { tills: Array.from({ length: event.data.amount }, (_, n) => `${tillId} ${n}`) }
  },
  project: (event, { tills }) => {
    const { tillId } = event.data
    if (event.type !== 'MoneyPutIn') return tills.removeWhere('note', tillId)
    for (let n = 0; n < event.data.amount; n++) {
      const row: TillRow = { tillId: `${tillId} ${n}`, amount: 1, note: tillId, revision: 0 }
      tills.set(row.tillId, row)
    }
  },
}

describe.each(Object.entries(places))('%s', (_name, openPlace) => {
  let on: Following

  beforeEach(async () => {
    on = await following(openPlace)
  })
  afterEach(() => on.remove())

  const keys = async () => Object.keys(await on.amounts())

  test('more rows than a step may hold are removed by an event, and by the deletion of a stream', async () => {
    const running = on.project(many)
    await on.append('a', putIn('a', rowsRemovedMax), putIn('b', 1))
    await on.append('c', putIn('c', rowsRemovedMax + 1))
    await on.arrived(await on.append('a', putIn('a', 1), { type: 'MoneyPutIn', data: { tillId: 'd', amount: 1 } }))
    expect(await keys()).toHaveLength(2 * rowsRemovedMax + 3)
    const { token } = await on.place.rows()

    await on.arrived(await on.append('c', closeAll('c'), putIn('c', 1)))
    expect((await keys()).filter((key) => key.startsWith('c'))).toEqual(['c 0'])
    expect(await on.place.changesSince(token)).toMatchObject({
      changes: [{ table: 'tills', all: true }, { key: 'c 0' }],
    })

    await on.append('c', putIn('c', rowsRemovedMax + 1))
    await on.store.tombstone(on.streamOf('c'))
    await on.arrived(await on.append('e', putIn('e', 1)))
    expect((await keys()).filter((key) => key.startsWith('c'))).toEqual([])
    expect(await keys()).toHaveLength(rowsRemovedMax + 3)
    expect(running.status().parked).toEqual([])
  })
})
