// A copy of a read model of the edge: of one moment, usable by a new node, and never over another file.
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { formatPosition } from '@headwater/eventstore/position'
import { startProjection } from '@headwater/projections/run/projection'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { type LoanRow, loans } from '@headwater/read-models/loan/loans'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { jsonOf, logger, me, requested, shareWorld, startWorld } from './support.ts'

test('a new node begins from it, and comes to where its peer is', async () => {
  const world = await startWorld()
  for (let n = 0; n < 5; n++) await world.append(requested(randomUUID()))
  const peer = world.follow.loans()
  await peer.whenLive()
  const directory = path.join(world.directory, 'another-node')
  mkdirSync(directory)
  const used = await world.use('seed-file', 'loans', '--to', directory, '--json')
  expect(used.code).toBe(0)
  const file = path.join(directory, `loans.v${loans.version}.sqlite`)
  expect(jsonOf(used)).toMatchObject({
    name: 'loans',
    version: loans.version,
    file,
    storeId: await world.store.storeId(),
    bytes: statSync(file).size,
  })
  expect(readdirSync(directory)).toEqual([path.basename(file)])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(await world.acts()).toEqual([{ did: 'headwater seed-file loans', resource: null, by: me }])

  await world.append(requested(randomUUID()))
  const sink = openSqliteSink({ directory, projection: loans, logger })
  const node = startProjection({ store: world.store, sink, projection: loans, logger })
  onTestFinished(() => node.stop())
  await node.whenLive()
  expect(node.status().handled).toBe(1)
  const db = new Database(file, { readonly: true })
  expect(db.prepare<[], LoanRow>('select * from loans').all()).toHaveLength(6)
  db.close()
})

const shared = shareWorld(async ({ follow }) => {
  const peer = follow.loans()
  await peer.whenLive()
  return { peer }
})

test('says what it has copied', async () => {
  const { peer, ...world } = shared()
  const to = path.join(world.directory, 'copy.sqlite')
  const { out } = await world.use('seed-file', 'loans', '--to', to)
  const position = formatPosition(peer.status().position)
  expect(out).toContain(`${to}: loans, version ${loans.version}, up to ${position}, `)
  expect(out).toContain('It holds personal data')
})

test.each([
  ['without a place for it', 'loans', [], 2, 'Say where the copy goes'],
  ['of what is in Postgres', 'audit', ['--to', 'x'], 1, 'audit is in Postgres; loans and consents are files.'],
  ['of what there is not', 'numbers', ['--to', 'x'], 1, 'There is no projection numbers'],
  ['of what was not built', 'consents', ['--to', 'x'], 1, 'consents has not been built here'],
  ['into no folder', 'loans', ['--to', '/nowhere/x'], 1, 'There is no folder /nowhere'],
])('refused: %s', async (_what, model, args, code, why) => {
  const used = await shared().use('seed-file', model, ...args)
  expect(used).toMatchObject({ code, out: '' })
  expect(used.err).toContain(why)
})

test('refused: over what is there', async () => {
  const world = shared()
  const before = await world.acts()
  const to = path.join(world.directory, 'precious')
  writeFileSync(to, 'precious')
  const used = await world.use('seed-file', 'loans', '--to', to)
  expect(used).toMatchObject({ code: 1, out: '', err: `${to} is there already: it is not overwritten.\n` })
  expect(await world.acts()).toEqual(before)
})
