// Jobs of consents as a process: ends are written down, once and in time, and mails go out, at most twice and as one.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PatientCommand } from '@headwater/deciders/consent/patient'
import { type Grantee, patientEvents, type Target } from '@headwater/deciders/consent/patient-events'
import { patientStream } from '@headwater/deciders/consent/streams'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { freePort } from '@headwater/test-kit/free-port'
import { logger } from '@headwater/test-kit/toys/tills'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startMailSink } from '../../sandbox/src/mail-sink.ts'
import { startWorld, untilMatches } from './support.ts'

const dora: Grantee = { kind: 'doctor', id: 'dora' }
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

type World = Awaited<ReturnType<typeof startWorld>>

let serial = 0
/** A patient of the test's own; in a world of its own, unless the test shares one. */
const startConsents = async (shared?: World) => {
  const patientId = `paula-${++serial}`
  const world = shared ?? (await startWorld())
  const patients = createCommandHandler({
    store: world.store,
    stream: patientStream,
    logger,
  })
  const send = (command: PatientCommand) =>
    patients.handle({ id: patientId, command, commandId: randomUUID(), requestHash: 'hash', actor: 'test' })
  const data = () => ({ patientId, at: inMs(0) })
  return {
    ...world,
    patientId,
    register: () => send({ type: 'RegisterContact', data: { ...data(), email: 'paula@example.org' } }),
    ask: (target: Target) => send({ type: 'AskConsent', data: { ...data(), by: dora, target } }),
    decline: (target: Target) => send({ type: 'DeclineConsent', data: { ...data(), by: dora, target } }),
    grant: (target: Target, until?: string) =>
      send({ type: 'GrantConsent', data: { ...data(), to: dora, target, until, kinds: ['doctor'] } }),
    revoke: (target: Target) => send({ type: 'RevokeConsent', data: { ...data(), from: dora, target } }),
    events: async () => (await world.store.readStream(`patient-${patientId}`, 0n, 100)).map(({ type }) => type),
    jobs: async () => {
      const { rows } = await world.database.client.query<{ kind: string; state: string; sends: number }>(
        `select kind, sends, case when done_at is not null then 'done' when replaced_at is not null then 'replaced'
           when skipped_at is not null then 'skipped' when parked_at is not null then 'parked' else 'open' end as state
         from headwater.jobs where stream = $1 order by entered_at, run_at`,
        [`patient-${patientId}`],
      )
      return rows
    },
  }
}

/** The settings of a process whose clock is off. */
const startClock = (shiftS: number) => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'clock-')), 'shift')
  const set = (shiftS: number) => writeFileSync(file, String(shiftS))
  set(shiftS)
  const shifted = pathToFileURL(path.join(import.meta.dirname, '../../../scripts/test/chaos/shifted-clock.ts'))
  return { set, settings: { NODE_OPTIONS: `--import ${shifted}`, CLOCK_SHIFT_FILE: file } }
}

const startSink = async (kept?: () => void, port = 0) => {
  const sink = await startMailSink({ host: '127.0.0.1', port, logger, kept })
  onTestFinished(sink.close)
  return { ...sink, settings: { SMTP_URL: `smtp://127.0.0.1:${sink.port}`, PUBLIC_URL: 'https://headwater.example' } }
}

describe('expire consent', () => {
  let world: World
  const endings: (() => Promise<void>)[] = []
  beforeAll(async () => {
    world = await startWorld((end) => void endings.unshift(end))
    await world.startJobs()
  })
  afterAll(async () => {
    for (const end of endings) await end()
  })

  test('the end is written down when it has come, not before', async () => {
    const consents = await startConsents(world)
    const until = inMs(1_500)
    await consents.grant('exams', until)
    await untilMatches(consents.events, ['ConsentGranted', 'ConsentExpired'])
    const [expired] = await world.store.readStream(`patient-${consents.patientId}`, 1n, 1)
    const event = {
      data: { patientId: consents.patientId, from: dora, target: 'exams', until },
      metadata: { actor: 'jobs' },
    }
    expect(expired).toMatchObject(event)
    const { expiredAt } = patientEvents.schemas.ConsentExpired.parse(expired?.data)
    expect(expiredAt >= until).toBe(true)
    await untilMatches(consents.jobs, [{ kind: 'expire consent', state: 'done' }])
  })

  test('granted anew, there is one timer, and it is the new one', async () => {
    const consents = await startConsents(world)
    await consents.grant('exams', inMs(60_000))
    await untilMatches(consents.jobs, [{ state: 'open' }])
    await consents.grant('exams', inMs(1_500))
    await untilMatches(consents.events, ['ConsentGranted', 'ConsentGranted', 'ConsentExpired'])
    await untilMatches(consents.jobs, [{ state: 'replaced' }, { state: 'done' }])
    // The ledger says so first; the queue follows after the task.
    await expect
      .poll(async () => (await world.database.client.query('select from graphile_worker.jobs')).rowCount)
      .toBe(0)
  })

  test('granted anew, a timer that an operator went on without stays as it is', async () => {
    const consents = await startConsents(world)
    await consents.grant('exams', inMs(90_000))
    await untilMatches(consents.jobs, [{ state: 'open' }])
    await world.database.client.query(
      `update headwater.jobs set parked_at = now(), error = 'a bug', skipped_at = now(), skipped_by = 'otto',
         skip_reason = 'by hand' where stream = $1`,
      [`patient-${consents.patientId}`],
    )
    await consents.grant('exams', inMs(60_000))
    await untilMatches(async () => (await consents.jobs()).map(({ state }) => state).toSorted(), ['open', 'skipped'])
  })

  test('a timer that finds nothing to do does nothing', async () => {
    const consents = await startConsents(world)
    await consents.grant('exams', inMs(60_000))
    await consents.revoke('exams')
    await untilMatches(consents.jobs, [{ kind: 'expire consent', state: 'open' }])
    await world.pass(1)
    await untilMatches(consents.jobs, [{ kind: 'expire consent', state: 'done' }])
    expect(await consents.events()).toEqual(['ConsentGranted', 'ConsentRevoked'])
  })

  test('a clock that is an hour behind is waited for, however often it says that it is too early', async () => {
    const world = await startConsents()
    const clock = startClock(-3_600)
    await world.startJobs(clock.settings)
    await world.grant('exams', inMs(500))
    const tries = async () => {
      await world.pass(1)
      return (await world.queue())[0]?.attempts ?? 0
    }
    await expect.poll(tries, { timeout: 25_000 }).toBeGreaterThan(10)
    expect(await world.jobs()).toMatchObject([{ kind: 'expire consent', state: 'open' }])
    clock.set(0)
    await untilMatches(async () => {
      await world.pass(1)
      return world.events()
    }, ['ConsentGranted', 'ConsentExpired'])
  })

  test('a timer survives its process', async () => {
    const world = await startConsents()
    const first = await world.startJobs()
    await world.grant('exams', inMs(3_600_000))
    await untilMatches(world.jobs, [{ kind: 'expire consent', state: 'open' }])
    await first.kill()
    await world.pass(61)
    await world.startJobs(startClock(3_660).settings)
    await untilMatches(world.events, ['ConsentGranted', 'ConsentExpired'])
  })

  test('granted anew twice before a job is entered, the last timer counts', async () => {
    const world = await startConsents()
    const first = await world.startJobs()
    await first.stop()
    await world.grant('exams', inMs(90_000))
    await world.grant('exams', inMs(60_000))
    await world.grant('exams', inMs(1_500))
    await world.startJobs()
    await untilMatches(async () => (await world.events()).at(-1), 'ConsentExpired' as never)
    // The event comes first; the ledger is told after it.
    const states = async () => (await world.jobs()).map(({ state }) => state).toSorted()
    await untilMatches(states, ['done', 'replaced', 'replaced'])
  })
})

describe('mail consent asked', () => {
  test('goes to the address that is registered, and says no more than needed', async () => {
    const world = await startConsents()
    const sink = await startSink()
    await world.startJobs(sink.settings)
    await world.register()
    await world.ask('exams')
    await untilMatches(async () => sink.mails(), [{ to: ['paula@example.org'], deliveries: 1 }])
    const [mail] = sink.mails()
    expect(mail?.messageId).toMatch(/^<[0-9a-f-]{36}@headwater\.example>$/)
    expect(mail?.text).toContain('https://headwater.example/consents')
    expect(`${mail?.subject} ${mail?.text}`).not.toMatch(/dora|exams|paula/)
    await untilMatches(world.jobs, [{ kind: 'mail consent asked', state: 'done', sends: 1 }])
  })

  test('asked twice, with no address, or answered meanwhile: no mail', async () => {
    const world = await startConsents()
    const sink = await startSink()
    const jobs = await world.startJobs(sink.settings)
    await world.ask('conditions')
    await untilMatches(world.jobs, [{ state: 'done' }])
    await world.register()
    await jobs.stop()
    await world.ask('consultations')
    await world.decline('consultations')
    await world.startJobs(sink.settings)
    await untilMatches(world.jobs, [{ state: 'done' }, { state: 'done' }])
    expect(sink.mails()).toEqual([])
    await world.ask('exams')
    await world.ask('exams')
    await untilMatches(async () => sink.mails(), [{ deliveries: 1 }])
    await untilMatches(world.jobs, [{ state: 'done' }, { state: 'done' }, { state: 'done' }])
    expect(sink.mails()).toHaveLength(1)
  })

  test('what was asked before the first start is told to nobody', async () => {
    const world = await startConsents()
    const sink = await startSink()
    await world.register()
    await world.ask('exams')
    const jobs = await world.startJobs(sink.settings)
    await untilMatches(jobs.health, { parts: { follower: { state: 'live', lagMs: 0 } } })
    expect(await world.jobs()).toEqual([])
    expect(sink.mails()).toEqual([])
  })

  test('three tries, then parked; an operator has it tried again, under the same Message-ID', async () => {
    const world = await startConsents()
    // Not one that the system gives to others while nobody listens on it.
    const sink = await startSink(undefined, await freePort())
    await sink.close()
    const jobs = await world.startJobs(sink.settings)
    await world.register()
    await world.ask('exams')
    const parkedNow = async () => {
      await world.pass(1)
      return world.jobs()
    }
    await untilMatches(parkedNow, [{ kind: 'mail consent asked', state: 'parked', sends: 0 }])
    const headers = { authorization: `Bearer ${await world.issuer.tokenOf({ roles: ['operator'] })}` }
    const answer = await fetch(`${jobs.url}/parked-jobs`, { headers })
    const parked = (await answer.json()) as { jobs: { id: string; error: string }[] }
    expect(parked.jobs).toMatchObject([{ kind: 'mail consent asked', error: expect.stringContaining('NotSent') }])
    expect(JSON.stringify(parked)).not.toMatch(/example\.org|dora/)

    const again = await startSink(undefined, sink.port)
    await fetch(`${jobs.url}/parked-jobs/${parked.jobs[0]?.id}/run-again`, { method: 'POST', headers })
    await untilMatches(async () => again.mails(), [{ messageId: `<${parked.jobs[0]?.id}@headwater.example>` }])
  })

  test('killed between sending and recording, twice: two deliveries at most, one Message-ID, one in the inbox', async () => {
    const world = await startConsents()
    let running: Awaited<ReturnType<typeof world.startJobs>> | undefined
    const sink = await startSink(() => running?.signal('SIGKILL'))
    await world.register()
    running = await world.startJobs(sink.settings)
    await world.ask('exams')
    // The job of the dead is free after a while: not before the next process can be killed as well.
    const lockedFor = (minutes: number) =>
      world.database.client.query(
        `update graphile_worker._private_jobs set locked_at = now() - make_interval(mins => $1) where locked_at is not null`,
        [minutes],
      )
    for (const deliveries of [1, 2]) {
      await untilMatches(async () => sink.mails(), [{ deliveries }])
      expect(await world.jobs()).toMatchObject([{ state: 'open', sends: deliveries }])
      await lockedFor(-60)
      running = await world.startJobs(sink.settings)
      await lockedFor(1)
    }
    const parkedNow = async () => {
      await world.pass(1)
      return world.jobs()
    }
    await untilMatches(parkedNow, [{ state: 'parked', sends: 2 }])
    expect(sink.mails()).toMatchObject([{ deliveries: 2 }])
  })
})
