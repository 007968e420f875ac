// What is in the event store: the streams that changed last, one stream, what comes from now on; and what is not shown of people.
import { randomUUID } from 'node:crypto'
import { until } from '@headwater/test-kit/until'
import { describe, expect, test } from 'vitest'
import { hidden, knownCategories } from '../src/streams/personal.ts'
import { jsonOf, me, requested, shareWorld, startWorld, use, withdrawn } from './support.ts'

const shared = shareWorld(async () => ({}))

describe('streams list', () => {
  test('the ones that changed last come first, each once', async () => {
    const world = shared()
    const [a, b] = [randomUUID(), randomUUID()]
    await world.append(requested(a), requested(b), withdrawn(a))
    await world.store.append('till-1', [{ id: randomUUID(), type: 'TillOpened', data: {}, metadata: {} }], 'no_stream')
    const { streams, isAll } = jsonOf(await world.use('streams', 'list', '--json'))
    expect(isAll).toBe(true)
    expect(streams).toMatchObject([
      { stream: 'till-1', revision: '0', lastType: 'TillOpened' },
      { stream: `loan-${a}`, revision: '1', lastType: 'LoanWithdrawn' },
      { stream: `loan-${b}`, revision: '0', lastType: 'LoanRequested', lastAt: expect.any(String) },
    ])
    const some = await world.use('streams', 'list', '--category', 'loan', '--count', '1')
    expect(some.out).toContain(`loan-${a}  1         LoanWithdrawn\n`)
    expect(some.out).toContain('The streams of loan that changed last, among the newest 4 events: 1.')
  })

  test('more than a page is looked through', async () => {
    const world = await startWorld()
    await world.append(requested(randomUUID()))
    for (let page = 0; page < 3; page++) {
      const events = Array.from({ length: 300 }, () => ({ id: randomUUID(), type: 'Rung', data: {}, metadata: {} }))
      await world.store.append('till-1', events, 'any')
    }
    expect(jsonOf(await world.use('streams', 'list', '--category', 'loan', '--json'))).toMatchObject({
      streams: [{ stream: expect.stringMatching(/^loan-/) }],
      isAll: true,
      lookedThrough: 901,
    })
  })
})

describe('streams read', () => {
  test('shows events, and what they hold only when asked, without what belongs to a person', async () => {
    const world = shared()
    const loanId = randomUUID()
    await world.append(requested(loanId), withdrawn(loanId))
    const stream = `loan-${loanId}`
    const plain = await world.use('streams', 'read', stream)
    expect(plain.out).toMatch(/^REVISION +RECORDED +TYPE +BY +ID\n0 +\S+ \S+ +LoanRequested +anonymous +\S+\n1 /)
    expect(plain.out).not.toContain('London')
    const { events } = jsonOf(await world.use('streams', 'read', stream, '--data', '--json'))
    expect(events).toMatchObject([
      {
        stream,
        revision: '0',
        position: expect.stringMatching(/^\d+\/\d+$/),
        type: 'LoanRequested',
        metadata: { actor: 'anonymous' },
        data: {
          loanId,
          name: hidden.personal,
          address: hidden.personal,
          nationalId: hidden.personal,
          amount: 500,
          requestedBy: { kind: 'anonymous', id: 'anonymous' },
        },
      },
      { type: 'LoanWithdrawn', data: { reason: hidden.personal } },
    ])
    const some = await world.use('streams', 'read', stream, '--from', '1', '--count', '1', '--json')
    expect(jsonOf(some)).toMatchObject({ events: [{ revision: '1' }] })
  })

  test('of what this version does not know, nothing is shown', async () => {
    const world = shared()
    const loanId = randomUUID()
    const { data } = requested(loanId)
    const strange = [
      { type: 'LoanPainted', data: { color: 'Ada' }, metadata: {} },
      { type: 'LoanRequested', data, metadata: { schema: 99 } },
      { type: 'LoanRequested', data: { ...data, nickname: 'Ada', requestedBy: ['Ada'] }, metadata: { schema: 1 } },
    ].map((event) => ({ ...event, id: randomUUID() }))
    await world.store.append(`loan-${loanId}`, strange, 'no_stream')
    const used = await world.use('streams', 'read', `loan-${loanId}`, '--data', '--json')
    expect(used.out).not.toContain('Ada')
    const { unknown } = hidden
    expect(jsonOf(used)).toMatchObject({
      events: [
        { data: unknown },
        { data: unknown },
        { data: { amount: 500, nickname: unknown, requestedBy: unknown } },
      ],
    })
  })

  test('what is not there is said', async () => {
    const world = shared()
    const loanId = randomUUID()
    await world.append(requested(loanId))
    for (const [args, code, why] of [
      [['loan-x'], 1, 'There is no stream loan-x.'],
      [[`loan-${loanId}`, '--from', '5'], 1, `loan-${loanId} ends before revision 5.`],
      [[`loan-${loanId}`, '--from', 'start'], 2, '--from is a whole number'],
    ] as const) {
      const used = await world.use('streams', 'read', ...args)
      expect(used).toMatchObject({ code, out: '' })
      expect(used.err).toContain(why)
    }
  })
})

describe('streams delete', () => {
  test('deletes a loan for good after confirmation; the audit trail says who did', async () => {
    const world = await startWorld()
    const loanId = randomUUID()
    await world.append(requested(loanId))
    const stream = `loan-${loanId}`
    expect(await world.use('streams', 'delete', stream)).toMatchObject({ code: 2, out: '' })
    expect(await world.store.readStream(stream, 0n, 10)).toHaveLength(1)
    expect(jsonOf(await world.use('streams', 'delete', stream, '--yes', '--json'))).toEqual({ stream, deleted: true })
    expect(await world.acts()).toEqual([{ did: 'headwater streams delete loan-:id', resource: loanId, by: me }])
    for (const [command, why] of [
      [['read', stream], `${stream} was deleted.`],
      [['delete', stream, '--yes'], `${stream} is deleted already.`],
      [['delete', `loan-${randomUUID()}`, '--yes'], 'There is no stream loan-'],
    ] as const) {
      const used = await world.use('streams', ...command)
      expect([used.code, used.out]).toEqual([1, ''])
      expect(used.err).toContain(why)
    }
    for (const shared of [
      '$settings',
      '$$loan-x',
      'headwater-store',
      'audit-2026-12-01',
      'applicant-x',
      'email-x',
      'loan-',
    ]) {
      const used = await world.use('streams', 'delete', shared, '--yes')
      expect([used.code, used.err]).toEqual([
        1,
        expect.stringContaining('Only these streams can be deleted: loan-<id>, patient-<id>, user-<id>.'),
      ])
    }
    expect(await world.acts()).toHaveLength(1)
  })

  test("deletes a patient's snapshots too, and one that would be written later is refused; no snapshot is shown", async () => {
    const world = shared()
    for (const count of [0, 2]) {
      const stream = `patient-${randomUUID()}`
      const snapshots = `snapshot_${stream}`
      const event = (type: string) => ({ id: randomUUID(), type, data: {}, metadata: {} })
      await world.store.append(stream, [event('ContactRegistered')], 'no_stream')
      for (let n = 0; n < count; n++) await world.store.append(snapshots, [event('Snapshot')], 'any')
      expect((await world.use('streams', 'list', '--json')).out).not.toContain(snapshots)
      for (const command of ['read', 'follow']) {
        const used = await world.use('streams', command, snapshots)
        expect([used.code, used.err]).toEqual([1, expect.stringContaining('Snapshots are not shown')])
      }
      expect((await world.use('streams', 'delete', stream, '--yes')).code).toBe(0)
      await expect(world.store.append(snapshots, [event('Snapshot')], 'any')).rejects.toMatchObject({
        code: 'stream_deleted',
      })
    }
  })

  test('deletes a user whose account is closed, and the rows of that user in Postgres', async () => {
    const world = await startWorld()
    const userId = randomUUID()
    const stream = `user-${userId}`
    const event = (type: string) => ({ id: randomUUID(), type, data: { userId }, metadata: {} })
    await world.store.append(stream, [event('UserRegistered')], 'no_stream')
    await world.pool.query("insert into headwater.credentials (user_id, password_hash) values ($1, 'hash')", [userId])
    await world.pool.query("insert into headwater.people (sub, name) values ($1, 'Ada')", [userId])
    const refused = await world.use('streams', 'delete', stream, '--yes')
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('The account is open: disable it first')])
    await world.store.append(stream, [event('UserDisabled')], 0n)
    expect((await world.use('streams', 'delete', stream, '--yes')).code).toBe(0)
    for (const table of ['credentials', 'people'])
      expect((await world.pool.query(`select from headwater.${table}`)).rowCount).toBe(0)
  })
})

describe('streams follow', () => {
  test.each(['a stream', 'a category'])('%s, until it is ended', async (what) => {
    const world = shared()
    const [a, b] = [randomUUID(), randomUUID()]
    await world.append(requested(a))
    const ending = new AbortController()
    let heard = ''
    const name = what === 'a stream' ? `loan-${a}` : 'loan'
    const following = use(world.env, ['streams', 'follow', name, '--json', '--data'], {
      signal: ending.signal,
      heard: (text) => {
        heard += text
      },
    })
    await until('it follows', () => heard.includes('Ctrl-C ends it'))
    await world.append(requested(b), withdrawn(a))
    await until('it has come', () => heard.includes('LoanWithdrawn'))
    ending.abort()
    const { code, out } = await following
    expect(code).toBe(0)
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const last = { stream: `loan-${a}`, type: 'LoanWithdrawn', revision: '1' }
    const between = { stream: `loan-${b}`, data: { name: hidden.personal } }
    expect(events).toMatchObject(what === 'a stream' ? [last] : [between, last])
  })
})

test('every category that a read model follows is known by its schemas', async () => {
  const { audit } = await import('@headwater/read-models/audit/audit')
  expect(knownCategories).toEqual(expect.arrayContaining([...audit.categories]))
})
