// The doctor: a whole Headwater that is well, and each thing broken in turn, with what mends it.
import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { assignNewStoreId } from '@headwater/eventstore/store-name'
import { migrations } from '@headwater/postgres/migrate'
import { schemaName } from '@headwater/projections/postgres/schema'
import { startProjection } from '@headwater/projections/run/projection'
import { sqliteFile } from '@headwater/projections/sqlite/file'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { openSqliteWishes } from '@headwater/projections/sqlite/wishes'
import { audit } from '@headwater/read-models/audit/audit'
import { loans } from '@headwater/read-models/loan/loans'
import { startIssuer } from '@headwater/test-kit/issuer'
import { until } from '@headwater/test-kit/until'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Finding } from '../src/doctor/checks.ts'
import {
  jsonOf,
  logger,
  requested,
  shareWorld,
  startProcess,
  startWorld,
  use,
  type World,
  withBug,
  withdrawn,
} from './support.ts'

const examine = async (world: World, env: NodeJS.ProcessEnv = world.env) => {
  const used = await use(env, ['doctor', '--json'])
  const { ok, checks } = jsonOf(used)
  expect(ok).toBe(used.code === 0)
  const findings = checks as readonly Finding[]
  return { ok, of: (check: string) => findings.filter((one) => one.check === check) }
}

/** Wrong in one way, which is said with what mends it. */
const sick = async (world: World, check: string, found: RegExp, mend: RegExp, env: NodeJS.ProcessEnv = world.env) => {
  const { ok, of } = await examine(world, env)
  expect(ok).toBe(false)
  expect(of(check)).toContainEqual({
    check,
    state: 'wrong',
    found: expect.stringMatching(found),
    mend: expect.stringMatching(mend),
  })
}

test('all is well; then something parks, is paused, fails for good, and stands still', async () => {
  const world = await startWorld()
  const issuer = await startIssuer()
  await assignNewStoreId(world.store)
  await assignNewStoreId(world.store) // as after a restore
  const all = await world.followAll()
  const env = { ...world.env, OIDC_ISSUER: issuer.env.OIDC_ISSUER }
  const storeId = await world.store.storeId()

  const well = await use(env, ['doctor'])
  expect(well).toMatchObject({ code: 0, err: '' })
  expect(well.out).toContain(`answers as leader, is the store ${storeId}`)
  for (const check of ['Postgres', 'migrations', 'clocks', 'parked jobs', 'edge folder', 'issuer', ...Object.keys(all)])
    expect(well.out).toMatch(new RegExp(`^ok +${check} `, 'm'))
  expect(well.out).toMatch(/All is well\.\n$/)
  expect((await examine(world)).of('issuer')).toMatchObject([{ state: 'not checked' }])

  // As earlier releases let it in: Postgres refuses NUL.
  const checks = [{ patientId: 'a\0b', grantee: { kind: 'doctor', id: 'dora' }, target: 'exams', count: 1 }]
  const data = { actor: { kind: 'partner', sub: 'clinic', roles: [] }, at: new Date().toISOString(), checks }
  const metadata = { schema: 1 }
  await world.store.append('audit-today', [{ id: randomUUID(), type: 'ConsentsChecked', data, metadata }], 'no_stream')
  const replaced = /^ok +audit +1 event met with text that no database takes: U\+FFFD stands for it$/m
  await expect.poll(async () => (await use(env, ['doctor'])).out).toMatch(replaced)
  const entries = `select resource from ${schemaName(audit)}.entries where action = 'ConsentChecked'`
  expect((await world.pool.query(entries)).rows).toEqual([{ resource: 'a\ufffdb' }])

  await issuer.stop()
  await sick(world, 'issuer', /cannot be reached/, /OIDC_ISSUER/, env)

  await world.enterJob('a kind', { parkedFor: 'a bug' })
  await sick(world, 'parked jobs', /^1 job failed for good$/, /headwater parked list --name jobs/)

  await world.use('projections', 'pause', 'underwriting')
  await sick(world, 'underwriting', /^It is paused by os:/, /headwater projections resume underwriting/)

  await all.loans.stop()
  await sick(world, 'loans', /^Nobody writes it\.$/, /Start edge-projector/)
  await all.jobs.stop()
  await sick(world, 'jobs', /^Nobody writes it\.$/, /Start jobs/)
  await world.pool.query("update headwater.followers set store_id = 'another' where name = 'jobs'")
  await sick(world, 'jobs', /^This is another event store\.$/, /restored-main\.ts --backup-taken .*docs\/restore\.md/)

  const loanId = randomUUID()
  await world.append(requested(loanId), withdrawn(loanId))
  await world.follow.loans(withBug(loans, { isMended: false })).whenLive()
  await sick(world, 'loans', /^1 event could not be projected\.$/, /headwater parked list --name loans/)

  const hide = async (loanId: string, data: object) => {
    await world.append(requested(loanId), withdrawn(loanId))
    await world.store.append(`$$loan-${loanId}`, [{ id: randomUUID(), type: '$metadata', data, metadata: {} }], 'any')
    return `loan-${loanId}`
  }
  const { of } = await examine(world)
  expect(of('hidden events')).toMatchObject([{ state: 'ok', found: 'none: all of the event store was looked through' }])
  const [truncated, deleted] = [await hide(randomUUID(), { $tb: 1 }), await hide(randomUUID(), { $maxCount: 1 })]
  await hide(randomUUID(), { $acl: {} })
  await world.store.tombstone(deleted)
  await sick(
    world,
    'hidden events',
    new RegExp(`^Metadata hides events of ${truncated} \\(\\$tb\\); all of the event store was looked through\\.`),
    /headwater streams delete <stream> --yes/,
  )
  // Looking at each of many streams that are deleted by now would take too long.
  const gone = await Promise.all(Array.from({ length: 60 }, () => hide(randomUUID(), { $tb: 1 })))
  await Promise.all(gone.map((stream) => world.store.tombstone(stream)))
  await sick(world, 'hidden events', /^Metadata hides events of .* and perhaps 12 others; /, /streams delete/)

  await world.pool.query(
    'update headwater.migrations set name = $1 where name = (select max(name) from headwater.migrations)',
    ['999-newer'],
  )
  await sick(world, 'migrations', /^Not done: 0/, /Start dashboard-projector or jobs/)
  await world.pool.query(
    "insert into headwater.migrations select name, '0' from unnest($1::text[]) as name on conflict do nothing",
    [Object.keys(migrations)],
  )
  await sick(world, 'migrations', /^A newer version has done 999-newer$/, /the version that is deployed/)
})

test('nothing runs and nothing was ever made', async () => {
  const world = await startWorld({ empty: true })
  const { ok, of } = await examine(world)
  expect(ok).toBe(false)
  expect(of('event store')).toMatchObject([{ state: 'ok', found: expect.stringContaining('has no name yet') }])
  expect(await world.store.readStream('headwater-store', 0n, 1)).toEqual([])
  expect(of('migrations')).toMatchObject([{ state: 'wrong', found: 'The tables were never made.' }])
  expect(of('loans')).toMatchObject([
    { found: expect.stringContaining('was never made'), mend: 'Start edge-projector.' },
  ])
  expect(of('audit')).toMatchObject([{ mend: 'Start dashboard-projector.' }])
  expect(of('jobs')).toMatchObject([{ mend: 'Start jobs.' }])
})

const bare = shareWorld(async () => ({}))

test('no event store, no Postgres, no folder', async () => {
  const world = bare()
  const away = {
    EVENTSTORE_URL: 'esdb://me:secret@127.0.0.1:1?tls=false',
    DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/none',
  }
  const env = { ...away, EDGE_DIRECTORY: path.join(world.directory, 'none') }
  await sick(
    world,
    'event store',
    /^esdb:\/\/127\.0\.0\.1:1\?tls=false does not answer: .*ECONNREFUSED/,
    /EVENTSTORE_URL/,
    env,
  )
  await sick(world, 'Postgres', /^postgres:\/\/127\.0\.0\.1:1\/none: .*ECONNREFUSED/, /DATABASE_URL/, env)
  await sick(world, 'edge folder', /^There is no /, /EDGE_DIRECTORY/, env)
  const { of } = await examine(world, env)
  for (const name of ['loans', 'audit', 'jobs']) expect(of(name)).toMatchObject([{ state: 'not checked' }])
})

test("what is kept is damaged, of another store, ahead of it, of another shape, or another user's", async () => {
  const world = await startWorld()
  await world.append(requested(randomUUID()))
  const file = sqliteFile(world.directory, loans)
  const following = [world.follow.loans(), world.follow.audit()]
  await Promise.all(following.map((one) => one.whenLive()))
  await Promise.all(following.map((one) => one.stop()))

  const change = (sql: string) => {
    const db = new Database(file)
    db.exec(sql)
    db.close()
  }
  const rebuild = /^headwater projections rebuild loans$/
  change("update checkpoint set shape = 'another'")
  await sick(world, 'loans', /made for another shape/, rebuild)
  change('update checkpoint set commitPosition = 1000000, preparePosition = 1000000')
  await world.pool.query(
    `update ${schemaName(audit)}.checkpoint set commit_position = 1000000, prepare_position = 1000000`,
  )
  await sick(world, 'audit', /^The event store ends before the checkpoint/, /headwater projections rebuild audit/)
  change(`update checkpoint set storeId = '${randomUUID()}', shape = ''`)
  rmSync(file)
  const strange = openSqliteSink({ directory: world.directory, projection: loans, logger })
  await strange.claim(randomUUID())
  await strange.close()
  await sick(world, 'loans', /^This is another event store\.$/, rebuild)
  writeFileSync(file, 'this is no database, and long enough to be looked at as one. '.repeat(100))
  await sick(world, 'loans', /cannot be read: file is not a database/, rebuild)

  const wishes = openSqliteWishes(world.directory, `loans.v${loans.version}`)
  rmSync(file)
  await wishes.add({ kind: 'rebuild', eventId: '', by: 'nils', at: new Date(Date.now() - 3_600_000) })
  wishes.close()
  await sick(world, 'loans', /^Nobody has seen to the rebuild that nils wished for 1 h ago\.$/, /Start edge-projector/)

  rmSync(world.directory, { recursive: true })
  writeFileSync(world.directory, '')
  await sick(world, 'edge folder', /is no folder/, /EDGE_DIRECTORY/)
})

test('a read model is far behind, and the clocks differ', async () => {
  const world = await startWorld()
  const silent = { pause: () => undefined, resume: () => undefined, close: () => undefined }
  const store = { ...world.store, subscribe: () => silent }
  const sink = openSqliteSink({ directory: world.directory, projection: loans, logger })
  const following = startProjection({ store, sink, projection: loans, logger })
  onTestFinished(() => following.stop())
  await until('it follows', () => following.status().state === 'catching up')
  await world.append(requested(randomUUID()))
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * 60_000 })
  onTestFinished(() => void vi.useRealTimers())
  await world.follow.audit().whenLive()
  await sick(world, 'loans', /^It is 3 min behind\.$/, /The log of edge-projector/)
  await sick(world, 'clocks', /^This machine and Postgres differ by [23] min$/, /NTP/)
})

test('where there is no edge, and nothing says where it is, nothing is said of it', async () => {
  const { env, directory } = bare()
  const { ended, said } = startProcess(['doctor'], { ...env, EDGE_DIRECTORY: '' }, directory)
  expect(await ended).toBe(1)
  expect(said().out).toMatch(/^- +edge folder +There is none here/m)
  expect(said().out).toMatch(/^- +loans /m)
})
