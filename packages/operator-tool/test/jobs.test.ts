// Jobs: what waits, what failed for good, and having that run again by a worker that lives.
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { jsonOf, me, shareWorld, startWorld } from './support.ts'

const kind = 'request credit check'

describe('jobs list', () => {
  test('counts by kind what runs, is due, is for later, and is parked; and names what waits longest', async () => {
    const world = await startWorld({ empty: true })
    expect((await world.use('jobs', 'list')).out).toBe('The jobs service has never run on this Postgres.\n')
    await world.prepareJobs()
    expect((await world.use('jobs', 'list')).out).toBe('All jobs are done.\n')
    const id = await world.enterJob(kind, { laterBy: '-2 min' })
    await world.enterJob(kind)
    await world.enterJob(kind, { laterBy: '1 day' })
    await world.enterJob(kind, { isDone: true })
    await world.enterJob('another kind', { parkedFor: 'a bug' })
    expect(jsonOf(await world.use('jobs', 'list', '--json'))).toMatchObject({
      kinds: [
        { kind: 'another kind', running: 0, due: 0, later: 0, parked: 1, oldestDue: null },
        { kind, running: 0, due: 2, later: 1, parked: 0, oldestDue: { id, stream: `loan-${id}` } },
      ],
    })
    const { out } = await world.use('jobs', 'list')
    expect(out).toMatch(/^KIND +RUNNING +DUE +LATER +PARKED +WAITS LONGEST\nanother kind +0 +0 +0 +1 +-\n/)
    expect(out).toContain(`2 min: ${id} of loan-${id}`)
  })
})

describe('processes', () => {
  test('lists those that are held up first, and says what the others wait for', async () => {
    const world = await startWorld({ empty: true })
    expect((await world.use('processes')).out).toBe('No process is active.\n')
    await world.prepareJobs()
    await world.pool.query(
      `insert into headwater.processes (stream, process, since, due_at, trouble) values
       ('transfer-1', 'transfer', now() - interval '2 min', null, null),
       ('transfer-2', 'transfer', now() - interval '1 min', now() + interval '1 day', null),
       ('transfer-3', 'transfer', now(), now(), 'account_busy')`,
    )
    const { processes } = jsonOf(await world.use('processes', '--json'))
    expect(processes).toMatchObject([
      { stream: 'transfer-3', trouble: 'account_busy' },
      { stream: 'transfer-1', dueAt: null, trouble: null },
      { stream: 'transfer-2', dueAt: expect.any(String), trouble: null },
    ])
    const { out } = await world.use('processes')
    expect(out).toMatch(/transfer-3 +held up: account_busy/)
    expect(out).toMatch(/transfer-1 +waits for an input +2 min ago/)
    expect(out).toMatch(/transfer-2 +due later/)
  })
})

describe('parked jobs', () => {
  const shared = shareWorld(async ({ prepareJobs }) => {
    await prepareJobs()
  })

  test('skip goes on without one for good, and keeps who did and why', async () => {
    const world = shared()
    const id = await world.enterJob(kind, { parkedFor: 'a bug' })
    expect(await world.use('parked', 'skip', id)).toMatchObject({ code: 2, out: '' })
    const done = await world.use('parked', 'skip', id, '--reason', 'seen to by hand', '--json')
    expect([done.code, JSON.parse(done.out)]).toMatchObject([0, { id, kind, state: 'skipped', error: 'a bug' }])
    const skipped = { reason: 'seen to by hand', by: me }
    expect(await world.acts()).toEqual([{ did: 'headwater parked skip :id --name jobs', resource: id, by: me }])

    expect((await world.use('parked', 'list')).out).toBe('Nothing is parked.\n')
    expect((await world.use('jobs', 'list')).out).toBe('All jobs are done.\n')
    const { jobs, jobCount } = jsonOf(await world.use('parked', 'list', '--all', '--json'))
    expect([jobs, jobCount]).toMatchObject([[{ id, error: 'a bug', skipped }], 0])
    expect((await world.use('parked', 'list', '--all')).out).toContain(`skipped by ${me}: seen to by hand`)
    expect(jsonOf(await world.use('parked', 'show', id, '--json'))).toMatchObject({
      job: { state: 'skipped', skipped },
    })
    for (const args of [
      ['jobs', 'retry', id],
      ['parked', 'skip', id, '--reason', 'once more'],
    ])
      expect(await world.use(...args)).toMatchObject({
        code: 1,
        out: '',
        err: expect.stringContaining('was skipped by'),
      })
    expect(await world.acts()).toHaveLength(1)
  })

  test('are on the list of what is parked, beside events', async () => {
    const world = shared()
    const id = await world.enterJob(kind, { parkedFor: 'a bug' })
    const { jobs, jobCount } = jsonOf(await world.use('parked', 'list', '--json'))
    expect([jobs, jobCount]).toMatchObject([[{ id, kind, stream: `loan-${id}`, error: 'a bug' }], 1])
    expect((await world.use('parked', 'list', '--name', 'jobs')).out).toContain(`${id}  a job  ${kind}`)
    expect((await world.use('parked', 'list', '--name', 'loans')).out).toBe('Nothing is parked.\n')
    expect(jsonOf(await world.use('parked', 'show', id, '--json'))).toMatchObject({ job: { id, state: 'parked' } })
    expect((await world.use('parked', 'show', id)).out).toMatch(/why +a bug\n/)
  })

  test.each([['jobs'], ['parked']])('%s retry has one run again, in vain and with success', async (group) => {
    const world = shared()
    const id = await world.enterJob(kind, { parkedFor: 'a bug' })
    let isMended = false
    world.startWorker(kind, async () => {
      if (!isMended) throw new Error('still a bug')
    })
    const vain = await world.use(group, 'retry', id)
    expect(vain).toMatchObject({ code: 1 })
    expect(vain.out).toContain('It failed for good again: Error: still a bug')
    isMended = true
    const used = await world.use(group, 'retry', id, '--json')
    expect(used.code).toBe(0)
    expect(JSON.parse(used.out)).toEqual({ id, kind, stream: `loan-${id}`, state: 'done', error: null })
    const act = { did: 'headwater jobs retry :id', resource: id, by: me }
    expect((await world.acts()).filter(({ resource }) => resource === id)).toEqual([act, act])
    const again = await world.use(group, 'retry', id)
    expect(again).toMatchObject({ code: 1, out: '', err: `The job ${id} is done, it is not parked.\n` })
  })

  test('when nobody works it says so, and leaves the job to whoever comes', async () => {
    const world = shared()
    const id = await world.enterJob(kind, { parkedFor: 'a bug' })
    const used = await world.use('jobs', 'retry', id)
    expect(used.code).toBe(0)
    expect(used.out).toContain('has not been yet')
    const waiting = await world.use('jobs', 'retry', id)
    expect(waiting).toMatchObject({ code: 1, out: '', err: `The job ${id} waits to be run, it is not parked.\n` })
  })

  test('what is no job, and what is no id, is refused', async () => {
    const world = shared()
    const before = await world.acts()
    const id = randomUUID()
    expect(await world.use('jobs', 'retry', id)).toEqual({ code: 1, out: '', err: `There is no job ${id}.\n` })
    expect(await world.use('jobs', 'retry', 'all')).toMatchObject({ code: 2, out: '' })
    expect(await world.acts()).toEqual(before)
  })
})
