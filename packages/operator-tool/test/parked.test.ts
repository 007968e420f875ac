// Events that could not be taken in: listed, shown, tried again, skipped; with projections that have a bug until it is mended.
import { randomUUID } from 'node:crypto'
import { contexts } from '@headwater/deciders/contexts'
import { reactionsOf } from '@headwater/jobs/reactions'
import { sqliteFile } from '@headwater/projections/sqlite/file'
import { loans } from '@headwater/read-models/loan/loans'
import { underwriting } from '@headwater/read-models/loan/underwriting'
import { until } from '@headwater/test-kit/until'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { jsonOf, me, requested, shareWorld, startWorld, use, type World, withBug, withdrawn } from './support.ts'

const reactions = reactionsOf(contexts)

/** A loan whose second event cannot be taken in. */
const parkIn = async (world: World) => {
  const bug = { isMended: false }
  const loanId = randomUUID()
  await world.append(requested(loanId), withdrawn(loanId), withdrawn(loanId))
  const atEdge = world.follow.loans(withBug(loans, bug))
  await atEdge.whenLive()
  const { id } = await world.eventOf(loanId, 1n)
  const { id: behind } = await world.eventOf(loanId, 2n)
  return { bug, loanId, id, behind, atEdge, stream: `loan-${loanId}` }
}
const startWithParked = async () => {
  const world = await startWorld()
  return { world, ...(await parkIn(world)) }
}

describe('parked list and show', () => {
  const shared = shareWorld(parkIn)

  test('say what, where, why, since when, and how often it was tried', async () => {
    const { id, stream, ...world } = shared()
    const used = await world.use('parked', 'list', '--json')
    expect(used.code).toBe(0)
    const expected = {
      projection: 'loans',
      id,
      stream,
      revision: '1',
      type: 'LoanWithdrawn',
      error: 'a bug in the projection',
      tries: 3,
      skipped: null,
      stops: false,
      deadLetter: null,
    }
    expect(jsonOf(used)).toMatchObject({ events: [expected], jobs: [], jobCount: 0 })
    const { out } = await world.use('parked', 'list', '--name', 'loans')
    expect(out).toMatch(/^ID +IN +WHAT +STREAM +PARKED +TRIES +WHY\n/)
    expect(out).toContain(`${id}  loans  LoanWithdrawn  1@${stream}`)
    expect((await world.use('parked', 'list', '--name', 'consents')).out).toBe('Nothing is parked.\n')

    const shown = await world.use('parked', 'show', id, '--json')
    expect(jsonOf(shown)).toEqual({
      events: [{ ...expected, ...anyTimes, waitingBehind: 1, metadata: { actor: 'anonymous' } }],
    })
    const text = (await world.use('parked', 'show', id, '--data')).out
    expect(text).toMatch(/waiting behind +1 event\n/)
    expect(text).toMatch(/data +\{"loanId":"[^"]+","reason":"\(personal\)"/)
  })

  test('while the event store is away they tell what the list says', async () => {
    const { id, ...world } = shared()
    const noStore = { ...world.env, EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false' }
    expect((await use(noStore, ['parked', 'list'])).out).toContain(id)
    const shown = await use(noStore, ['parked', 'show', id])
    expect(shown.out).toContain('a bug in the projection')
    expect(shown.err).toContain('(EVENTSTORE_URL) does not answer')
  })

  test('while Postgres is away the list says that it is not all', async () => {
    const { id, ...world } = shared()
    const used = await use({ ...world.env, DATABASE_URL: 'postgres://127.0.0.1:1/none' }, ['parked', 'list', '--json'])
    expect(used).toMatchObject({ code: 1, err: expect.stringContaining('(DATABASE_URL)') })
    expect(JSON.parse(used.out)).toMatchObject({ events: [{ id }], jobs: null, jobCount: null })
  })
})

describe('parked retry', () => {
  test('in vain, and with success once the bug is mended; each is in the audit trail', async () => {
    const { world, bug, id } = await startWithParked()
    const vain = await world.use('parked', 'retry', id, '--json')
    expect(vain.code).toBe(1)
    expect(jsonOf(vain)).toMatchObject({ id, outcomes: [{ projection: 'loans', outcome: 'parked again' }] })
    bug.isMended = true
    expect(await world.use('parked', 'retry', id)).toEqual({
      code: 0,
      out: 'loans has taken it in, and all behind it.\n',
      err: '',
    })
    expect(jsonOf(await world.use('parked', 'list', '--json'))).toMatchObject({ events: [] })
    const act = { did: 'headwater parked retry :id --name loans', resource: id, by: me }
    expect(await world.acts()).toEqual([act, act])
    expect(await world.use('parked', 'retry', id)).toEqual({
      code: 1,
      out: '',
      err: `Nothing with the id ${id} is parked: \`headwater parked list\` shows what is.\n`,
    })
  })

  test('wherever it is parked, or where --name says', async () => {
    const { world, bug, id } = await startWithParked()
    await world.follow.underwriting(withBug(underwriting, bug)).whenLive()
    bug.isMended = true
    const one = await world.use('parked', 'retry', id, '--name', 'underwriting', '--json')
    expect(jsonOf(one)).toMatchObject({ outcomes: [{ projection: 'underwriting', outcome: 'taken in' }] })
    expect(jsonOf(await world.use('parked', 'list', '--json'))).toMatchObject({ events: [{ projection: 'loans' }] })
    const all = await world.use('parked', 'retry', id, '--json')
    expect(jsonOf(all)).toMatchObject({ outcomes: [{ projection: 'loans', outcome: 'taken in' }] })
  })

  test('when nobody does it, it says why, and it is done once somebody can', async () => {
    const [alone, paused] = await Promise.all([startWithParked(), startWithParked()])
    await Promise.all([alone.atEdge.stop(), paused.atEdge.stop()])
    await paused.world.use('projections', 'pause', 'loans')
    const waiting = paused.world.follow.loans(withBug(loans, paused.bug))
    await until('it is paused', () => waiting.status().reason?.startsWith('Paused') ?? false)
    const [ofNobody, ofPaused] = await Promise.all(
      [alone, paused].map(({ world, id }) => world.use('parked', 'retry', id)),
    )
    expect(ofNobody).toMatchObject({ code: 1, err: '' })
    expect(ofNobody?.out).toContain('No projector sees to it: is edge-projector running? The wish stays')
    expect(ofPaused).toMatchObject({ code: 1, err: '' })
    expect(ofPaused?.out).toMatch(/loans is paused by os:\S+: headwater projections resume loans\. The wish stays/)

    paused.bug.isMended = true
    await paused.world.use('projections', 'resume', 'loans')
    await waiting.whenLive()
    expect(waiting.status().parked).toEqual([])
  })
})

describe('parked skip', () => {
  test('goes on without it; what is behind it parks, and who skipped what and why stays', async () => {
    const { world, id, behind } = await startWithParked()
    const skipped = await world.use('parked', 'skip', id, '--reason', 'it was entered twice')
    expect(skipped).toMatchObject({ code: 0, err: '' })
    expect(skipped.out).toContain(`loans goes on without it. Now LoanWithdrawn ${behind} behind it is parked`)
    expect(jsonOf(await world.use('parked', 'skip', behind, '--reason', 'so was this', '--json'))).toMatchObject({
      outcomes: [{ outcome: 'skipped', text: 'loans goes on without it.' }],
    })
    expect((await world.use('parked', 'list')).out).toBe('Nothing is parked.\n')
    const all = await world.use('parked', 'list', '--all')
    expect(all.out).toContain(`skipped by ${me}: it was entered twice`)
    expect(await world.acts()).toEqual(
      [id, behind].map((resource) => ({ did: 'headwater parked skip :id --name loans', resource, by: me })),
    )
    const again = await world.use('parked', 'skip', id, '--reason', 'once more')
    expect(again).toMatchObject({ code: 1, out: '' })
    expect(again.err).toContain(`The event was skipped in loans by ${me}`)
  })

  test('is refused without a reason, where it could be meant elsewhere, and of what is not parked', async () => {
    const { world, id } = await startWithParked()
    await world.follow.underwriting(withBug(underwriting, { isMended: false })).whenLive()
    const reason = ['--reason', 'it was entered twice'] as const
    for (const [args, code, why] of [
      [[id], 2, 'Say why: --reason'],
      [[id, '--reason', '  '], 2, 'Say why: --reason'],
      [[id, ...reason], 2, 'The event is parked in loans and underwriting: say which'],
      [['7', ...reason], 2, '"7" is no id'],
      [[randomUUID(), ...reason], 1, 'is parked'],
      [[id, '--name', 'lones', ...reason], 1, 'There is no projection lones. Did you mean loans?'],
    ] as const) {
      const used = await world.use('parked', 'skip', ...args)
      expect(used).toMatchObject({ code, out: '' })
      expect(used.err).toContain(why)
    }
    expect(await world.acts()).toEqual([])
    const one = await world.use('parked', 'skip', id, '--name', 'underwriting', ...reason, '--json')
    expect(jsonOf(one)).toMatchObject({ outcomes: [{ projection: 'underwriting', outcome: 'skipped' }] })
  })
})

describe('a projection that has stopped', () => {
  test('is listed with its event by every command, and goes on once the event is skipped', async () => {
    const world = await startWorld()
    const bug = { isMended: false }
    // The jobs begin with what comes after their first start.
    const jobs = world.follow.jobs({ ...withBug(reactions, bug), parkedMax: 0 })
    await jobs.whenLive()
    const loanId = randomUUID()
    await world.append(requested(loanId), withdrawn(loanId))
    const { id } = await world.eventOf(loanId, 1n)
    const stopped = [
      world.follow.loans({ ...withBug(loans, bug), parkedMax: 0 }),
      world.follow.underwriting({ ...withBug(underwriting, bug), parkedMax: 0 }),
      jobs,
    ]
    for (const one of stopped) await until('it stops', () => one.status().state === 'stopped')
    const names = ['loans', 'underwriting', 'jobs']

    const { events } = jsonOf(await world.use('parked', 'list', '--json')) as { events: object[] }
    expect(events).toMatchObject(names.map((projection) => ({ projection, id, stops: true, type: 'LoanWithdrawn' })))
    expect((await world.use('parked', 'list')).out).toContain('stops loans: 0 are parked already. a bug')
    const { checks } = jsonOf(await world.use('doctor', '--json')) as { checks: object[] }
    for (const check of names)
      expect(checks).toContainEqual({
        check,
        state: 'wrong',
        found: expect.stringContaining(`It has stopped at LoanWithdrawn ${id}: `),
        mend: expect.stringContaining(`headwater parked skip ${id} --name ${check}`),
      })
    expect((await world.use('projections', 'list')).out).toContain(`stopped at LoanWithdrawn: parked show ${id}`)

    const again = await world.use('parked', 'retry', id, '--name', 'jobs', '--json')
    expect(jsonOf(again)).toMatchObject({ outcomes: [{ projection: 'jobs', outcome: 'restarted' }] })
    for (const [n, name] of names.entries()) {
      const skipped = await world.use('parked', 'skip', id, '--name', name, '--reason', 'it was entered twice')
      expect(skipped).toMatchObject({ code: 0, out: `${name} goes on without it.\n` })
      await until('it goes on', () => stopped[n]?.status().state === 'live')
    }
  })
})

test('a dead letter is listed, shown with its event from the store, and retried once the list accepts rows again', async () => {
  const { world, bug, id, atEdge } = await startWithParked()
  await atEdge.stop()
  const refuse = new Database(sqliteFile(world.directory, loans))
  refuse.exec("create trigger broken before insert on parked begin select raise(abort, 'broken'); end")
  refuse.close()
  const other = randomUUID()
  await world.append(requested(other), withdrawn(other))
  const letter = await world.eventOf(other, 1n)
  const next = world.follow.loans(withBug(loans, bug))
  await next.whenLive()
  await until('both wait', () => next.status().parked.length === 2)
  expect(jsonOf(await world.use('parked', 'list', '--json'))).toMatchObject({
    events: [{ id }, { id: letter.id, deadLetter: 1 }],
  })
  expect((await world.use('parked', 'list')).out).toMatch(new RegExp(`${letter.id} +loans +dead letter 1 +position `))
  expect((await world.use('parked', 'show', letter.id)).out).toContain(`1@loan-${other}`)
  expect((await world.use('doctor', '--json')).out).toContain(
    '2 events could not be projected, 1 of them not even parked.',
  )
  bug.isMended = true
  for (const one of [letter.id, id]) expect((await world.use('parked', 'retry', one)).code).toBe(0)
  expect((await world.use('parked', 'list')).out).toBe('Nothing is parked.\n')
})

const anyTimes = { position: expect.any(String), parkedAt: expect.any(String), triedAt: expect.any(String) }
