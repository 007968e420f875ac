// After a restore of the event store, of Postgres, or of both: what is lost is done again, and nothing outside twice that need not.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { promisify } from 'node:util'
import type { PatientCommand } from '@headwater/deciders/consent/patient'
import type { Grantee, Target } from '@headwater/deciders/consent/patient-events'
import { patientStream } from '@headwater/deciders/consent/streams'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { beginning } from '@headwater/eventstore/position'
import { testDatabase } from '@headwater/test-kit/database'
import { startRestorablePostgres, startRestorableStore } from '@headwater/test-kit/restorable'
import { logger } from '@headwater/test-kit/toys/tills'
import { expect, onTestFinished, test } from 'vitest'
import { startMailSink } from '../../sandbox/src/mail-sink.ts'
import { startReceiver } from './receiver.ts'
import { type Given, startWorldIn, untilMatches } from './support.ts'

const partner = { kind: 'partner', id: 'demo-partner' } as const
const patientId = 'paula'
const dora: Grantee = { kind: 'doctor', id: 'dora' }
const now = () => new Date().toISOString()
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString()

/** The services as they are after a start: nothing is remembered of before. */
const startServices = async (given: Given, settings: Record<string, string>) => {
  const world = await startWorldIn(given)
  const patients = createCommandHandler({
    store: world.store,
    stream: patientStream,
    logger,
  })
  const send = (command: PatientCommand, commandId: string = randomUUID()) =>
    patients.handle({ id: patientId, command, commandId, requestHash: 'hash', actor: 'test' })
  const data = () => ({ patientId, at: now() })
  return {
    ...world,
    startJobs: (expected?: object) => world.startJobs(settings, expected),
    register: () => send({ type: 'RegisterContact', data: { ...data(), email: 'paula@example.org' } }),
    askConsent: (target: Target, again?: { readonly commandId: string; readonly at: string }) =>
      send({ type: 'AskConsent', data: { ...data(), ...again, by: dora, target } }, again?.commandId),
    grant: (until: string) =>
      send({ type: 'GrantConsent', data: { ...data(), to: dora, target: 'exams', until, kinds: ['doctor'] } }),
    /** A partner's application; the same `id` is the same request, sent again. With a score it is decided at once. */
    apply: async (id: string, score?: number) => {
      const person = { name: 'Ada Lovelace', address: 'London', nationalId: '955555AA', amount: 1_000 }
      const creditScore = score && { creditScore: { score, nationalId: person.nationalId, checkedAt: now() } }
      const request = { loanId: id, ...person, requestedBy: partner, at: now(), ...creditScore }
      await world.send({ type: 'RequestLoan', data: request }, id)
    },
    /** What was tried in vain is tried again at once. */
    ledgerOf: async (loanId: string) => {
      await given.database.client.query(
        `select graphile_worker.reschedule_jobs(array[id], run_at => now()) from graphile_worker.jobs
         where attempts > 0 and locked_at is null and run_at > now()`,
      )
      return (await world.ledger()).filter(({ loan }) => loan === loanId)
    },
    /** Messages to webhooks: at the receiver, and noted as such. */
    delivered: async () => {
      const { rows } = await given.database.client.query<{ id: string; attempts: number }>(
        'select id, attempts from headwater.webhook_deliveries where delivered_at is not null order by entered_at',
      )
      return rows
    },
    timers: async () => {
      const { rows } = await given.database.client.query<{ state: string }>(
        `select case when replaced_at is null then 'set' else 'replaced' end as state
         from headwater.jobs where kind = 'expire consent' order by run_at`,
      )
      return rows.map(({ state }) => state)
    },
  }
}

type Services = Awaited<ReturnType<typeof startServices>>
type Jobs = Awaited<ReturnType<Services['startJobs']>>

const registerWebhook = async (services: Services, jobs: Jobs, url: string) => {
  const body = { partner: partner.id, url }
  expect((await services.ask(`${jobs.url}/api/webhooks`, { method: 'POST', body })).status).toBe(201)
}

const startOutside = async () => {
  const sink = await startMailSink({ host: '127.0.0.1', port: 0, logger })
  onTestFinished(sink.close)
  const receiver = await startReceiver()
  return {
    receiver,
    settings: { SMTP_URL: `smtp://127.0.0.1:${sink.port}`, PUBLIC_URL: 'https://headwater.example' },
    /** How often each mail came, the oldest first. */
    deliveries: async () =>
      sink
        .mails()
        .map(({ deliveries }) => deliveries)
        .toReversed(),
    /** How often each message came, by loan. */
    told: async () => {
      const times: Record<string, number> = {}
      for (const { loanId } of receiver.bodies()) times[String(loanId)] = (times[String(loanId)] ?? 0) + 1
      return times
    },
  }
}

const restored = async ({ node, database }: Given, backupTaken: string) => {
  const main = path.join(import.meta.dirname, '../src/restored-main.ts')
  const env = { ...process.env, EVENTSTORE_URL: node.connectionString, DATABASE_URL: database.url }
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--backup-taken', backupTaken], { env })
  return stdout
}

const momentOf = async ({ database }: Given) =>
  (await database.client.query<{ now: Date }>('select clock_timestamp() as now')).rows[0]?.now.toISOString() ?? ''

test('an older event store: one command, and jobs do again what is lost, and send nothing twice', async () => {
  const node = await startRestorableStore()
  const outside = await startOutside()
  const database = await testDatabase()
  onTestFinished(database.remove)
  const given = { node, database }
  const before = await startServices(given, outside.settings)
  const firstJobs = await before.startJobs()
  await registerWebhook(before, firstJobs, outside.receiver.url)

  // Before the backup: a mail, an approved loan, a loan without a score, a consent that ends.
  await before.register()
  await before.askConsent('exams')
  const [told, waiting] = [randomUUID(), randomUUID()]
  await before.apply(told, 9)
  await untilMatches(outside.told, { [told]: 1 })
  await before.bureau.behave('failing')
  await before.apply(waiting)
  await before.grant(inAnHour())
  await untilMatches(before.timers, ['set'])
  await untilMatches(outside.deliveries, [1])
  await untilMatches(() => before.ledgerOf(waiting), [{ kind: 'check credit', done: false }])
  const moment = await momentOf(given)
  await node.backUp('backup')

  // After it: what will be lost.
  await before.bureau.behave('normal')
  await untilMatches(() => before.ledgerOf(waiting), Array(3).fill({ done: true }))
  const [retried, gone] = [randomUUID(), randomUUID()]
  const asked = { commandId: randomUUID(), at: now() }
  await before.apply(retried, 9)
  await before.apply(gone, 9)
  await before.askConsent('conditions', asked)
  await before.grant(inAnHour())
  await untilMatches(before.timers, ['replaced', 'set'])
  await untilMatches(outside.deliveries, [1, 1])
  await untilMatches(outside.told, { [told]: 1, [waiting]: 1, [retried]: 1, [gone]: 1 })
  await untilMatches(before.delivered, Array(4).fill({ attempts: 1 }))
  await firstJobs.stop()
  await node.restore('backup')
  // Of an event that is lost.
  const letters = [{ number: 1, eventId: randomUUID(), position: '9999999/9999999', at: now() }]
  const deadLetters = JSON.stringify(letters)
  await database.client.query("update headwater.followers set dead_letters = $1 where name = 'jobs'", [deadLetters])

  const after = await startServices(given, outside.settings)
  const refusal = { rebuildNeeded: true, trouble: expect.stringContaining('restored-main.ts') }
  const jobs = await after.startJobs({ parts: { follower: refusal } })
  await expect(restored(given, new Date().toISOString())).rejects.toThrow(/its backup is older, name an earlier moment/)
  expect(await restored(given, moment)).toMatch(/Jobs follow from/)
  const kept = await database.client.query(
    "select dead_letters as letters from headwater.followers where name = 'jobs'",
  )
  expect(kept.rows).toEqual([{ letters: '[]' }])
  await untilMatches(jobs.health, { parts: { follower: { state: 'live', lagMs: 0, rebuildNeeded: false } } })

  // The score that was lost is asked for again; the timer that a lost grant had replaced stands again.
  await untilMatches(() => after.ledgerOf(waiting), Array(3).fill({ done: true }))
  await untilMatches(() => after.loanEvents(waiting), ['LoanRequested', 'CreditChecked', 'AutoApproved'])
  expect(await after.timers()).toEqual(['set'])
  expect(await after.loanEvents(gone)).toEqual([])
  // What was lost and comes again has its consequences again, but none outside.
  await after.apply(retried, 9)
  await after.askConsent('conditions', asked)
  await untilMatches(() => after.ledgerOf(retried), [{ done: true }, { done: true }, { done: true }])
  const fresh = randomUUID()
  await after.apply(fresh, 9)
  await untilMatches(outside.told, { [fresh]: 1 })
  // That loans were decided again is another event, but no news.
  const news = { [told]: 1, [waiting]: 1, [retried]: 1, [gone]: 1, [fresh]: 1 }
  expect(await outside.told()).toEqual(news)
  expect(await outside.deliveries()).toEqual([1, 1])

  // A moment before the first job: all events are read again, and still nothing goes out twice.
  expect(await restored(given, '2020-01-01T00:00:00Z')).toMatch(/Jobs follow from 0\/0/)
  await untilMatches(() => after.ledgerOf(told), Array(3).fill({ done: true }))
  await untilMatches(() => after.ledgerOf(fresh), Array(3).fill({ done: true }))
  await untilMatches(jobs.health, { parts: { follower: { state: 'live', lagMs: 0, rebuildNeeded: false } } })
  expect(await outside.told()).toEqual(news)
  expect(await outside.deliveries()).toEqual([1, 1])
})

test('an older Postgres: nothing to type; inside nothing happens twice, outside under the same id what went since', async () => {
  const node = await startRestorableStore()
  const postgres = await startRestorablePostgres()
  const outside = await startOutside()
  const before = await startServices(
    { node, database: { url: postgres.url, client: postgres.client() } },
    outside.settings,
  )
  const firstJobs = await before.startJobs()
  await registerWebhook(before, firstJobs, outside.receiver.url)
  await before.register()
  await before.askConsent('exams')
  const [older, newer, checked] = [randomUUID(), randomUUID(), randomUUID()]
  await before.apply(older, 9)
  await untilMatches(outside.told, { [older]: 1 })
  await untilMatches(outside.deliveries, [1])
  await untilMatches(() => before.ledgerOf(older), Array(3).fill({ done: true }))
  await untilMatches(before.delivered, [{ attempts: 1 }])
  await postgres.backUp('backup')

  await before.apply(newer, 9)
  await before.apply(checked)
  await before.askConsent('conditions')
  await untilMatches(outside.told, { [newer]: 1, [checked]: 1 })
  await untilMatches(outside.deliveries, [1, 1])
  await untilMatches(before.delivered, Array(3).fill({ attempts: 1 }))
  const eventsBefore = (await before.store.readAfter(beginning, 1_000)).map(({ id }) => id)
  // The process is not told: it lives on, holds the lease of before, and finds another past with the next event.
  firstJobs.signal('SIGSTOP')
  await postgres.restore('backup')
  firstJobs.signal('SIGCONT')

  const given = { node, database: { url: postgres.url, client: postgres.client() } }
  const after = await startServices(given, outside.settings)
  const fresh = randomUUID()
  await after.apply(fresh, 9)
  await untilMatches(outside.told, { [fresh]: 1 })
  for (const loanId of [newer, checked]) await untilMatches(() => after.ledgerOf(loanId), Array(3).fill({ done: true }))
  await untilMatches(outside.told, { [older]: 1, [newer]: 2, [checked]: 2 })
  await untilMatches(outside.deliveries, [1, 2])
  await untilMatches(() => after.ledgerOf(fresh), Array(3).fill({ done: true }))
  const eventsSince = (await after.store.readAfter(beginning, 1_000)).slice(eventsBefore.length)
  expect(eventsSince.map(({ stream }) => stream).filter((stream) => stream !== `loan-${fresh}`)).toEqual([])

  // A lease that was restored is free when it has run out, which it has.
  await firstJobs.kill()
  await postgres.restore('backup')
  const again = await startServices(
    { node, database: { url: postgres.url, client: postgres.client() } },
    outside.settings,
  )
  await again.startJobs()
  await untilMatches(() => again.ledgerOf(fresh), Array(3).fill({ done: true }))
  await untilMatches(outside.told, { [older]: 1 })
  // One id a loan, however often.
  expect(new Set(outside.receiver.ids()).size).toBe(4)
})
