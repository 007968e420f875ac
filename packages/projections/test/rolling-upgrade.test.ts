// Two releases on one event store: readers before writers loses and refuses nothing; the other order stops visibly.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Rejection } from '@headwater/deciders/decider'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { comparePosition, laterPosition, type Position } from '@headwater/eventstore/position'
import { logger, until } from '@headwater/test-kit/toys/tills'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { sqliteQueries } from '../src/model/queries.ts'
import { startProjection } from '../src/run/projection.ts'
import { openSqliteReader } from '../src/sqlite/reader.ts'
import { openSqliteSink } from '../src/sqlite/sink.ts'
import { type BadgeCommand, type BadgeRow, first, last, type Release, reading, withDoors } from './releases.ts'

/** A limit, not a measure. */
const arriveMsMax = 20_000

let url: string
let stopStore: () => Promise<unknown>

beforeAll(async () => {
  const given = process.env.EVENTSTORE_URL
  const node = given ? undefined : await start({ port: 0, memory: true })
  url = given ?? node?.connectionString ?? ''
  stopStore = async () => node?.stop()
})
afterAll(() => stopStore())

const allBadges = sqliteQueries<{ badges: BadgeRow }>().selectFrom('badges').selectAll().orderBy('badgeId').compile()

/** Deploys releases for a category of this test only. */
const startSite = () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'releases-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const category = `badge${randomUUID().replaceAll('-', '')}`
  let deployments = 0

  /** A service and a projector, with their own connection to the store, cache and read model. */
  return ({ decider, events, projectionOf }: Release) => {
    deployments += 1
    const store = connectEventStore({ url, logger })
    const commands = createCommandHandler({ store, stream: { category, events, decider }, logger })
    const projection = projectionOf(category, deployments)
    const running = startProjection({
      store,
      sink: openSqliteSink({ directory, projection, logger }),
      projection,
      logger,
    })
    const reader = openSqliteReader({ directory, projection, logger })
    const rows = () => reader.rows(allBadges).value
    let stopping: Promise<void> | undefined
    const stop = () => {
      stopping ??= running.stop().then(reader.close).then(store.close)
      return stopping
    }
    onTestFinished(stop)
    const send = (command: BadgeCommand) =>
      commands.handle({
        id: command.data.badgeId,
        command,
        commandId: randomUUID(),
        requestHash: JSON.stringify(command),
        actor: 'tester',
      })
    return {
      give: (badgeId: string, to: string) => send({ type: 'GiveBadge', data: { badgeId, to } }),
      use: (badgeId: string) => send({ type: 'UseBadge', data: { badgeId } }),
      lose: (badgeId: string) => send({ type: 'ReportLost', data: { badgeId } }),
      stored: (badgeId: string) => store.readStream(`${category}-${badgeId}`, 0n, 1_000),
      rows,
      /** The rows, once they have reached `position`. */
      rowsAt: async (position: Position) => {
        expect(await reader.waitFor(position, arriveMsMax)).toBe(true)
        return rows()
      },
      status: running.status,
      stop,
    }
  }
}
type Deployment = ReturnType<ReturnType<typeof startSite>>

const refusal = (answer: Promise<unknown>) =>
  answer.then(
    () => 'accepted',
    (error) => (error instanceof Rejection ? error.code : String(error)),
  )

const badgeIds = ['a', 'b', 'c', 'd']
const usesEach = 5
/** Runs all at once; returns the last position. */
const useAll = async (...deployments: readonly Deployment[]): Promise<Position> => {
  const uses = badgeIds.flatMap((id) => Array.from({ length: usesEach }, () => id))
  const answers = await Promise.all(deployments.flatMap(({ use }) => uses.map(use)))
  return answers.map(({ position }) => position).reduce(laterPosition)
}

describe('readers first', () => {
  test('every release reads earlier events in its own shape', async () => {
    const deploy = startSite()
    const { position } = await deploy(first).give('a', 'Ada')
    for (const release of [withDoors, reading, last]) {
      const next = deploy(release)
      expect(await next.rowsAt(position)).toEqual([
        { badgeId: 'a', whose: 'Ada', status: 'given', uses: expect.any(Number) },
      ])
      expect(await refusal(next.use('a'))).toBe('accepted')
    }
  })

  test('each release works beside the previous one without a refused command or a lost event', async () => {
    const deploy = startSite()
    const old = deploy(first)
    for (const id of badgeIds) await old.give(id, `holder of ${id}`)

    const between = deploy(reading)
    await useAll(old, between)
    await old.stop()

    const young = deploy(last)
    await useAll(between, young)
    // The previous release reads the new shape and the new type, which only the last one writes.
    await young.give('e', 'Eve')
    await between.use('e')
    const { position } = await young.lose('a')
    expect(await refusal(between.use('a'))).toBe('badge_not_given')

    const rows = badgeIds.map((badgeId) => ({
      badgeId,
      whose: `holder of ${badgeId}`,
      status: badgeId === 'a' ? 'lost' : 'given',
      uses: 4 * usesEach,
    }))
    for (const { rowsAt } of [between, young])
      expect(await rowsAt(position)).toEqual([...rows, { badgeId: 'e', whose: 'Eve', status: 'given', uses: 1 }])
    const [given, used] = await young.stored('e')
    expect(given).toMatchObject({ data: { badgeId: 'e', holder: 'Eve' }, metadata: { schema: 2 } })
    expect(used).toMatchObject({ type: 'BadgeUsed', metadata: { schema: 1 } })
  })

  test('the last release can be rolled back: the previous one reads all its events', async () => {
    const deploy = startSite()
    const young = deploy(last)
    await young.give('a', 'Ada')
    await young.lose('a')
    await young.give('b', 'Ben')
    await young.stop()

    const back = deploy(reading)
    const { position } = await back.use('b')
    expect(await refusal(back.use('a'))).toBe('badge_not_given')
    expect(await back.rowsAt(position)).toEqual([
      { badgeId: 'a', whose: 'Ada', status: 'lost', uses: 0 },
      { badgeId: 'b', whose: 'Ben', status: 'given', uses: 1 },
    ])
  })

  test('a new optional field needs no deployment order: the old release keeps working', async () => {
    const deploy = startSite()
    const old = deploy(first)
    const young = deploy(withDoors)
    for (const id of badgeIds) await young.give(id, id)
    const position = await useAll(old, young)
    for (const { rowsAt } of [old, young])
      expect(await rowsAt(position)).toEqual(
        badgeIds.map((badgeId) => ({ badgeId, whose: badgeId, status: 'given', uses: 2 * usesEach })),
      )
  })
})

describe('writers first, by mistake', () => {
  test.each<[string, (young: Deployment) => Promise<unknown>, string]>([
    ['a type', ({ lose }) => lose('a'), 'badge_not_given'],
    ['a shape of a type', ({ give }) => give('a', 'Eve'), 'accepted'],
  ])('%s that the old release does not know stops it at that stream only', async (_what, write, healed) => {
    const deploy = startSite()
    const old = deploy(first)
    await old.give('a', 'Ada')
    const { position: before } = await old.give('b', 'Ben')
    const known = await old.rowsAt(before)
    const young = deploy(last)
    await write(young)

    // Its cache has the earlier stream; the first refusal does not change the second answer.
    for (let tries = 0; tries < 2; tries++) expect(await refusal(old.use('a'))).toBe('unknown_event_type')
    expect(await old.stored('a')).toHaveLength(2)
    const { position } = await old.use('b')

    // The old projection passes the event without any rows for it.
    await until('the old projection has come to the event', () => {
      const { state, position: reached } = old.status()
      return state === 'stopped' || comparePosition(reached, position) >= 0
    })
    expect(old.rows()[0]).toEqual(known[0])

    // The readers' release projects it, with all events stored meanwhile.
    await old.stop()
    const upgraded = deploy(reading)
    expect(await refusal(upgraded.use('a'))).toBe(healed)
    const { position: end } = await upgraded.use('b')
    const rows = await upgraded.rowsAt(end)
    expect(rows).toEqual(await young.rowsAt(end))
    expect(rows[1]).toMatchObject({ badgeId: 'b', whose: 'Ben', uses: 2 })
  })
})
