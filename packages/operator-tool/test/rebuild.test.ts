// Having a read model built again: followed to its end, stopped, gone on with, left running, and refused.
import { pbkdf2Sync, randomUUID } from 'node:crypto'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import type { Projection } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'
import { sqliteFile } from '@headwater/projections/sqlite/file'
import { loans } from '@headwater/read-models/loan/loans'
import { underwriting } from '@headwater/read-models/loan/underwriting'
import { until } from '@headwater/test-kit/until'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { jsonOf, requested, shareWorld, startWorld, use, type World } from './support.ts'

const loansMax = 20

const startWithLoans = async () => {
  const world = await startWorld()
  for (let n = 0; n < loansMax; n++) await world.append(requested(randomUUID()))
  return world
}

/** Some milliseconds of the processor, for each event. */
const labor = () => pbkdf2Sync('work', 'work', 80_000, 32, 'sha256')

/** So hard to project that a modest copy, which waits a hundred times as long as it works, is under way until it is ended. */
const laborious = <Tables extends Readonly<Record<string, Row>>>(
  projection: Projection<LoanEvent, Tables>,
): Projection<LoanEvent, Tables> => ({
  ...projection,
  project: (event, rows) => {
    labor()
    projection.project(event, rows)
  },
})
const followLaboriously = {
  loans: ({ follow }: World) => follow.loans(laborious(loans)),
  underwriting: ({ follow }: World) => follow.underwriting(laborious(underwriting)),
}

/** Empty for the one that was built first. */
const buildOf = async (world: World, name: string): Promise<string | undefined> => {
  const { checkpoints } = jsonOf(await world.use('checkpoints', '--json'))
  type Listed = { readonly name: string; readonly checkpoint: { readonly build: string } | null }
  return (checkpoints as readonly Listed[]).find((one) => one.name === name)?.checkpoint?.build
}

describe.each(['loans', 'underwriting'] as const)('%s', (name) => {
  test('is built again and followed to its end', async () => {
    const world = await startWithLoans()
    await world.follow[name]().whenLive()
    expect(await buildOf(world, name)).toBe('')
    const used = await world.use('projections', 'rebuild', name, '--cores', '2', '--json')
    expect(used.code).toBe(0)
    expect(JSON.parse(used.out)).toEqual({
      name,
      outcome: 'rebuilt',
      position: expect.stringMatching(/^\d+\/\d+$/),
      seconds: expect.any(Number),
    })
    expect(await buildOf(world, name)).toMatch(/^\+/)
    expect((await world.acts()).map(({ did }) => did)).toEqual([`headwater projections rebuild ${name}`])
    const again = await world.use('projections', 'rebuild', name, '--cores', '2')
    expect(again.out).toMatch(new RegExp(`^${name} was built again and serves, up to \\d+/\\d+\\.`))
  })

  test('tells how far it is; two at once are refused; it can be left, followed, stopped, and gone on with', async () => {
    const world = await startWithLoans()
    await followLaboriously[name](world).whenLive()
    const ending = new AbortController()
    let heard = ''
    const following = use(world.env, ['projections', 'rebuild', name, '--cores', '0.01'], {
      isTerminal: true,
      signal: ending.signal,
      heard: (text) => {
        heard += text
      },
    })
    await until('it tells how far it is', () => / events?,/.test(heard))
    expect(heard).toContain(`\r\u001b[2K${name}: `)

    const second = await world.use('projections', 'rebuild', name)
    expect(second).toMatchObject({ code: 1, out: '' })
    expect(second.err).toMatch(new RegExp(`^${name} is being built again already, for os:\\S+ since .*: \\d+ %`))
    expect((await world.use('projections', 'list')).out).toMatch(/being built again for os:\S+: \d+ %/)

    ending.abort()
    const left = await following
    expect(left.code).toBe(130)
    expect(left.out).toContain('It goes on without you.')

    let watched = false
    const watching = use(world.env, ['projections', 'rebuild', name, '--follow', '--json'], {
      heard: () => {
        watched = true
      },
    })
    await until('it is watched', () => watched)
    const stopped = await world.use('projections', 'rebuild', name, '--stop', '--json')
    expect(jsonOf(stopped)).toEqual({ name, outcome: 'stopped' })
    const seen = await watching
    expect([seen.code, JSON.parse(seen.out)]).toEqual([1, { name, outcome: 'stopped' }])
    expect(await buildOf(world, name)).toBe('')

    for (const option of ['--stop', '--follow'])
      expect(await world.use('projections', 'rebuild', name, option)).toEqual({
        code: 1,
        out: '',
        err: `${name} is not being built again.\n`,
      })
    const gone = await world.use('projections', 'rebuild', name, '--go-on', '--cores', '2', '--json')
    expect(JSON.parse(gone.out)).toMatchObject({ outcome: 'rebuilt' })
  })
})

test('when no projector runs it says so, and the next one builds it; one of another history is rebuilt, and follows', async () => {
  const world = await startWithLoans()
  const used = await world.use('projections', 'rebuild', 'loans')
  expect(used).toMatchObject({ code: 1, out: '' })
  expect(used.err).toContain('No projector sees to it: is edge-projector running? It stays wished for')
  const before = world.follow.loans()
  await until('it is built', async () => (await buildOf(world, 'loans'))?.startsWith('+') ?? false)
  await until('it follows', () => before.status().state === 'live')
  await before.stop()
  const db = new Database(sqliteFile(world.directory, loans))
  db.prepare('update checkpoint set storeId = ?').run(randomUUID())
  db.close()
  const following = world.follow.loans()
  await until('it stops', () => following.status().state === 'stopped')
  expect((await world.use('projections', 'rebuild', 'loans', '--cores', '2')).code).toBe(0)
  await until('it follows', () => following.status().state === 'live')
})

const untouched = shareWorld(async () => ({}))

test.each([
  ['jobs', ['rebuild', 'jobs'], 1, /what they did outside would be done again.*restored-main\.ts --backup-taken/],
  ['a share that is none', ['rebuild', 'loans', '--cores', '0'], 2, /--cores is a number from 0.01 to 64, not "0"/],
  ['both at once', ['rebuild', 'loans', '--stop', '--go-on'], 2, /--stop and --go-on do not go together/],
  ['nothing', ['rebuild'], 2, /<name> is missing/],
  ['what there is not', ['rebuild', 'numbers'], 1, /There is no projection numbers/],
])('refused: %s', async (_what, args, code, why) => {
  const world = untouched()
  const used = await world.use('projections', ...args)
  expect(used).toMatchObject({ code, out: '' })
  expect(used.err).toMatch(why)
  expect(await world.acts()).toEqual([])
})
