// How far everything is, and pausing it, with all that follows running in this process.
import { randomUUID } from 'node:crypto'
import { beginning, comparePosition } from '@headwater/eventstore/position'
import { assignNewStoreId } from '@headwater/eventstore/store-name'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { loans } from '@headwater/read-models/loan/loans'
import { until } from '@headwater/test-kit/until'
import { describe, expect, test } from 'vitest'
import { checkFollower, checkStore } from '../src/doctor/checks.ts'
import { lookAt } from '../src/doctor/look.ts'
import { jsonOf, logger, me, requested, shareWorld, startWorld, use } from './support.ts'

describe('projections list', () => {
  test('says of everything where it is, how far, and how it does', async () => {
    const world = await startWorld()
    await world.append(requested(randomUUID()))
    // As after two restores: the last name counts.
    for (let restores = 0; restores < 2; restores++) await assignNewStoreId(world.store)
    const all = await world.followAll()
    const position = await world.append(requested(randomUUID()))
    await until('all is in', () =>
      Object.values(all).every((one) => comparePosition(one.status().position, position) >= 0),
    )
    const used = await world.use('projections', 'list', '--json')
    expect(used.code).toBe(0)
    const live = { state: 'live', lagMs: 0, parked: 0, isWritten: true, paused: null, rebuild: null, trouble: null }
    expect(jsonOf(used)).toMatchObject({
      head: expect.stringMatching(/^\d+\/\d+$/),
      projections: [
        { name: 'loans', kind: 'SQLite', place: `${world.directory}/loans.v${loans.version}.sqlite`, ...live },
        { name: 'consents', service: 'edge-projector', ...live },
        { name: 'underwriting', kind: 'Postgres', service: 'dashboard-projector', ...live },
        { name: 'audit', ...live },
        { name: 'jobs', service: 'jobs', ...live },
      ],
    })
    const table = await world.use('projections', 'list')
    expect(table).toMatchObject({ code: 0, err: '' })
    expect(table.out).toMatch(
      /^NAME +VERSION +WHERE +STATE +POSITION +LAG +PARKED\nloans +\d+ +\S+ +live +\d+\/\d+ +0 s +0\n/,
    )
    expect(jsonOf(await world.use('projections', 'lag', 'loans', '--json'))).toEqual({
      lags: [{ name: 'loans', lagMs: 0 }],
    })

    // Under load an event is appended and projected while the checkpoints are read.
    await world.withContext(async (context) => {
      const followers = context.followers.map((follower) => ({
        ...follower,
        checkpoint: async () => {
          const at = await world.append(requested(randomUUID()))
          const { status } = all[follower.name as keyof typeof all]
          await until('it is in', () => comparePosition(status().position, at) >= 0)
          return follower.checkpoint()
        },
      }))
      const { store, looked } = await lookAt(context, followers)
      for (const { follower, facts } of looked) {
        expect({ name: follower.name, unusable: facts?.unusable }).toEqual({ name: follower.name, unusable: undefined })
        expect(comparePosition(facts?.checkpoint?.position ?? beginning, store?.head ?? beginning)).toBeLessThanOrEqual(
          0,
        )
      }
      const { known } = await checkStore(context)
      for (const follower of followers)
        expect(await checkFollower(context, known, follower)).toMatchObject([{ check: follower.name, state: 'ok' }])
    })
  })

  test('says it of what was never built, of what nobody writes, and how old the oldest missing event is', async () => {
    const world = await startWorld()
    const following = world.follow.loans()
    await following.whenLive()
    await following.stop()
    await world.append(requested(randomUUID()))
    const { projections } = jsonOf(await world.use('projections', 'list', '--json'))
    expect(projections).toMatchObject([
      { name: 'loans', state: 'no projector', isWritten: false, lagMs: expect.any(Number) },
      { name: 'consents', state: 'not built', position: null },
      { name: 'underwriting', state: 'not built' },
      { name: 'audit', state: 'not built' },
      { name: 'jobs', state: 'not built' },
    ])
    expect((await world.use('projections', 'list')).out).toContain('is edge-projector running?')
    expect((await world.use('projections', 'lag', 'loans')).out).not.toContain(' 0 s ')
  })

  test('asks for a rebuild of what was made from another store', async () => {
    const world = await startWorld()
    const strange = openSqliteSink({ directory: world.directory, projection: loans, logger })
    await strange.claim(randomUUID())
    await strange.close()
    expect(jsonOf(await world.use('projections', 'list', '--json'))).toMatchObject({
      projections: [
        { name: 'loans', state: 'rebuild needed', trouble: 'This is another event store.' },
        {},
        {},
        {},
        {},
      ],
    })
    expect((await world.use('projections', 'list')).out).toContain('projections rebuild loans')
  })

  test('tells what is known while Postgres or the event store is away, and ends with 1', async () => {
    const world = await startWorld()
    await world.follow.loans().whenLive()
    const noPostgres = { ...world.env, DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/none' }
    const used = await use(noPostgres, ['projections', 'list', '--json'])
    expect(used.code).toBe(1)
    expect(used.err).toBe('Postgres at postgres://127.0.0.1:1/none (DATABASE_URL): connect ECONNREFUSED 127.0.0.1:1\n')
    expect(JSON.parse(used.out)).toMatchObject({
      projections: [{ name: 'loans', state: 'live' }, {}, { name: 'underwriting', state: 'unknown' }, {}, {}],
    })
    const noStore = { ...world.env, EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false' }
    const without = await use(noStore, ['checkpoints', '--json'])
    expect(without.code).toBe(1)
    expect(without.err).toContain('(EVENTSTORE_URL) does not answer')
    expect(JSON.parse(without.out)).toMatchObject({
      head: null,
      checkpoints: [{ name: 'loans', checkpoint: { epoch: '1' } }, {}, {}, {}, {}],
    })
  })
})

test('checkpoints: position, last event, store, epoch', async () => {
  const world = await startWorld()
  const loanId = randomUUID()
  await world.append(requested(loanId))
  await world.follow.loans().whenLive()
  const { id } = await world.eventOf(loanId, 0n)
  const storeId = await world.store.storeId()
  const checkpoint = { position: expect.stringMatching(/^\d+\/\d+$/), lastEventId: id, storeId, epoch: '1', build: '' }
  expect(jsonOf(await world.use('checkpoints', '--json'))).toMatchObject({
    storeId,
    checkpoints: [{ name: 'loans', checkpoint }, { name: 'consents', checkpoint: null }, {}, {}, {}],
  })
  expect((await world.use('checkpoints')).out).toContain(`${id}  ${storeId}  1      first`)
})

describe('projections pause and resume', () => {
  const unfollowed = shareWorld(async () => ({}))

  test.each(['loans', 'underwriting'] as const)(
    '%s: nothing is taken in meanwhile, nothing is missing then',
    async (name) => {
      const world = await startWorld()
      const following = world.follow[name]()
      await following.whenLive()
      const paused = await world.use('projections', 'pause', name)
      expect(paused).toMatchObject({ code: 0, err: '' })
      expect(paused.out).toContain(`${name} is paused. It stops after the batch in hand`)
      await until('it is paused', () => following.status().state === 'paused')
      const position = await world.append(requested(randomUUID()))
      const { projections } = jsonOf(await world.use('projections', 'list', '--json'))
      expect(projections).toContainEqual(
        expect.objectContaining({ name, state: 'paused', paused: { by: me, at: expect.any(String) } }),
      )
      const again = await world.use('projections', 'pause', name, '--json')
      expect(jsonOf(again)).toMatchObject({ changed: false, paused: { by: me } })
      expect(comparePosition(following.status().position, position)).toBeLessThan(0)

      expect((await world.use('projections', 'resume', name)).out).toBe(`${name} goes on.\n`)
      await until('it has taken all in', () => comparePosition(following.status().position, position) >= 0)
      const resumed = await world.use('projections', 'resume', name, '--json')
      expect(jsonOf(resumed)).toEqual({ name, paused: null, changed: false })
      expect(await world.acts()).toEqual([
        { did: `headwater projections pause ${name}`, resource: null, by: me },
        { did: `headwater projections resume ${name}`, resource: null, by: me },
      ])
    },
  )

  test('of what nobody writes it says so', async () => {
    const world = unfollowed()
    expect((await world.use('projections', 'pause', 'loans')).out).toContain('No edge-projector writes it')
    expect((await world.use('projections', 'resume', 'loans')).out).toContain('is it running?')
  })

  test('of a name that is none it says which there are', async () => {
    const world = unfollowed()
    expect(await world.use('projections', 'pause', 'lons')).toEqual({
      code: 1,
      out: '',
      err: 'There is no projection lons. Did you mean loans? There are: loans, consents, underwriting, audit, jobs.\n',
    })
  })

  test('where the edge is elsewhere, or Postgres has no tables yet, nothing is done', async () => {
    const world = await startWorld({ empty: true })
    const elsewhere = await use({ ...world.env, EDGE_DIRECTORY: '/nowhere' }, ['projections', 'pause', 'loans'])
    expect(elsewhere).toMatchObject({ code: 1, out: '' })
    expect(elsewhere.err).toContain('There is no folder /nowhere (EDGE_DIRECTORY)')
    const bare = await world.use('projections', 'pause', 'audit')
    expect(bare).toMatchObject({ code: 1, out: '' })
    expect(bare.err).toContain('dashboard-projector makes them when it starts')
    expect(await world.acts()).toEqual([])
  })

  test('while the event store is away it is done, and that it is not in the audit trail is said', async () => {
    const world = unfollowed()
    const noStore = { ...world.env, EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false' }
    const used = await use(noStore, ['projections', 'pause', 'loans'])
    expect(used.code).toBe(0)
    expect(used.err).toContain('The audit trail could not be written')
    expect(jsonOf(await world.use('projections', 'pause', 'loans', '--json'))).toMatchObject({ changed: false })
  })
})
