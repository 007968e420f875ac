// A read model as it was: its rows until a moment or position, in a file that is whole or not there.
import { randomUUID } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { formatPosition } from '@headwater/eventstore/position'
import type { LoanRow } from '@headwater/read-models/loan/loans'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { me, requested, shareWorld, withdrawn } from './support.ts'

const statusesIn = (file: string) => {
  const db = new Database(file, { readonly: true })
  const rows = db.prepare<[], LoanRow>('select * from loans').all()
  db.close()
  return rows.map(({ status }) => status)
}

const shared = shareWorld(async () => ({}))

test('it is what it was at a position and at a moment, and that it was made is written down', async () => {
  const world = shared()
  const loanId = randomUUID()
  await world.append(requested(loanId))
  const then = formatPosition(await world.store.head())
  await world.append(withdrawn(loanId))
  const [first, last] = [path.join(world.directory, 'first.sqlite'), path.join(world.directory, 'last.sqlite')]

  const atPosition = await world.use('replay', 'loans', '--until', then, '--to', first, '--json')
  expect(atPosition.code).toBe(0)
  expect(JSON.parse(atPosition.out)).toMatchObject({
    name: 'loans',
    file: first,
    events: 1,
    position: then,
    parkedStreams: 0,
  })
  expect(statusesIn(first)).toEqual(['checking'])

  const moment = new Date(Date.now() + 60_000).toISOString()
  const atMoment = await world.use('replay', 'loans', '--until', moment, '--to', last)
  expect(atMoment.out).toContain(`${last}: loans from 2 events`)
  expect(statusesIn(last)).toEqual(['withdrawn'])
  expect(await world.acts()).toEqual([
    { did: 'headwater replay loans', resource: null, by: me },
    { did: 'headwater replay loans', resource: null, by: me },
  ])
})

test.each([
  ['without an end', ['loans', '--to', 'x'], 2, 'Say where it ends'],
  ['with an end that is none', ['loans', '--until', 'yesterday', '--to', 'x'], 2, 'Say where it ends'],
  ['without a place for it', ['loans', '--until', '1/1'], 2, 'Say where the rows go'],
  [
    'of what is no read model of the edge',
    ['loan', '--until', '1/1', '--to', 'x'],
    1,
    'loan is no read model of the edge',
  ],
])('is refused %s', async (_what, args, code, message) => {
  const world = shared()
  const used = await world.use('replay', ...args)
  expect(used.code).toBe(code)
  expect(used.err).toContain(message)
  expect(existsSync('x')).toBe(false)
})

test('never over another file', async () => {
  const world = shared()
  await world.append(requested(randomUUID()))
  const file = path.join(world.directory, 'mine.txt')
  writeFileSync(file, 'mine')
  const used = await world.use('replay', 'loans', '--until', '1000/1000', '--to', file)
  expect(used).toMatchObject({ code: 1, err: expect.stringContaining(`${file} is there already`) })
})
