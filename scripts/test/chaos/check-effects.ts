// Checks that what follows from events happened, and nothing twice: jobs, mails, webhooks, reservations.
import { setTimeout as sleep } from 'node:timers/promises'
import { differencesOf, expectNone } from './differences.ts'
import type { Model } from './model.ts'
import type { StoreFold } from './store-fold.ts'
import type { World } from './world.ts'

/** Jobs of a worker that was killed run again within 15 s, those that met a dead bureau within 30 s. */
const doneMsMax = 90_000
const pollMs = 100
/** A mail of which nobody knows whether it went is sent once more. */
const sendsMax = 2
/** Whose events have consequences. */
const followed = ['loan', 'applicant', 'patient']
const mailKind = 'mail consent asked'

type Job = {
  readonly id: string
  readonly eventId: string
  readonly kind: string
  readonly isDone: boolean
  readonly isParked: boolean
  readonly isDue: boolean
  readonly error: string | null
}

/**
 * Rounds are short: what waits to be tried again is tried now.
 * @param kind only jobs of this kind: some are given up after a few tries
 */
export const hurry = async ({ database }: Pick<World, 'database'>, kind?: string): Promise<void> => {
  await database
    .query(
      `select graphile_worker.reschedule_jobs(array[id], run_at => now()) from graphile_worker.jobs
       where attempts > 0 and locked_at is null and run_at > now() + interval '1 s'
         and ($1::text is null or task_identifier = $1)`,
      [kind],
    )
    .catch(() => undefined) // the database is away: there is a next time
}

/** What is due: what the follower has not seen, jobs that are not done, webhooks that are not told. */
const unfinished = async ({ database }: World, { lastOf }: StoreFold) => {
  const { commit, prepare } = lastOf(followed)
  const { rows } = await database.query<{ what: string }>(
    `select 'the follower is behind' as what from headwater.followers where (commit_position, prepare_position) < ($1, $2)
     union all select kind || ' ' || stream as what from headwater.jobs
       where done_at is null and replaced_at is null and parked_at is null and run_at < now()
      union all select 'webhook ' || type || ' ' || loan_id from headwater.webhook_deliveries
       where delivered_at is null and parked_at is null`,
    [commit, prepare],
  )
  return rows.map(({ what }) => what)
}

/** Until a look at the database and the store finds nothing left to do. */
const settled = async (world: World, fold: StoreFold): Promise<void> => {
  const giveUpAtMs = performance.now() + doneMsMax
  for (;;) {
    await hurry(world)
    await fold.readOn()
    const checking = [...fold.loans].flatMap(([id, { status }]) =>
      status === 'checking' ? [`loan ${id} is checking`] : [],
    )
    const left = [...checking, ...(await unfinished(world, fold).catch((error: unknown) => [String(error)]))]
    if (left.length === 0) return
    if (performance.now() > giveUpAtMs) expectNone('all that is due is done', left)
    await sleep(pollMs)
  }
}

const jobsOf = async ({ database }: World): Promise<readonly Job[]> => {
  const { rows } = await database.query<Job>(
    `select id, event_id as "eventId", kind, done_at is not null as "isDone", parked_at is not null as "isParked",
       run_at < now() and replaced_at is null as "isDue", error
     from headwater.jobs`,
  )
  return rows
}

const wrongJobs = (jobs: readonly Job[]): readonly string[] => {
  const once = new Set(jobs.map(({ eventId, kind }) => `${eventId} ${kind}`))
  return [
    ...(once.size < jobs.length ? ['a job was entered twice for one event'] : []),
    // Whether a mail has gone twice nobody may know; then an operator looks.
    ...jobs.flatMap(({ id, kind, isParked, error }) =>
      isParked && kind !== mailKind ? [`${kind} ${id} was given up: ${error}`] : [],
    ),
  ]
}

/** Each applicant is reserved for a loan that is open; nobody for one that is over. */
const wrongReservations = (fold: StoreFold): readonly string[] => {
  const isOpen = (status: string) => status === 'checking' || status === 'awaiting review'
  const open = [...fold.loans].filter(([, { status }]) => isOpen(status))
  const asSet = (streams: readonly string[]) => new Map(streams.map((stream) => [stream, 'reserved']))
  return differencesOf(asSet(open.map(([id]) => `loan-${id}`)), asSet(fold.reservations()))
}

export type EffectChecks = { readonly check: (fold: StoreFold, model: Model) => Promise<void> }

export const openEffectChecks = (world: World): EffectChecks => {
  /** By job, how often it came: the stand-in for a mail server forgets the oldest. */
  const mails = new Map<string, number>()
  const { tally } = world

  const wrongMails = (jobs: readonly Job[], { patients }: Model, { streams }: StoreFold): readonly string[] => {
    for (const { messageId, deliveries } of world.mails())
      mails.set(messageId.slice(1, messageId.indexOf('@')), deliveries)
    const known = new Map(jobs.filter(({ kind }) => kind === mailKind).map((job) => [job.id, job]))
    const findings = [...mails].flatMap(([id, times]) => {
      if (!known.has(id)) return [`the mail ${id} is of no job`]
      return times > sendsMax ? [`the mail ${id} came ${times} times`] : []
    })
    const byEvent = new Map([...known.values()].map((job) => [job.eventId, job]))
    // Who still waits for an answer has been told of.
    for (const [patientId, { asked }] of patients)
      for (const key of asked) {
        const event = streams.get(`patient-${patientId}`)?.findLast(({ fact }) => fact === `ConsentAsked ${key}`)
        const job = byEvent.get(event?.id ?? '')
        if (!job || !(job.isParked || mails.has(job.id))) findings.push(`${patientId} was not told of ${key}`)
      }
    return findings
  }

  /** A partner is told each outcome of its own loans, under one id however often, and of no others'. */
  const wrongWebhooks = ({ loans }: Model, fold: StoreFold): readonly string[] => {
    const told = new Map<string, string>()
    const findings: string[] = []
    for (const [id, { loanId, type }] of world.webhooks.received) {
      if (told.has(loanId)) findings.push(`${loanId}: told under a second id, ${id}`)
      told.set(loanId, type)
    }
    const outcomes = [...loans].flatMap(([id, { isPartners }]) => {
      const status = fold.loans.get(id)?.status ?? 'none'
      return isPartners && ['approved', 'denied', 'withdrawn'].includes(status) ? [[id, `loan.${status}`] as const] : []
    })
    return [...findings, ...differencesOf(new Map(outcomes), told)]
  }

  return {
    check: async (fold, model) => {
      await settled(world, fold)
      const jobs = await jobsOf(world)
      expectNone('jobs', wrongJobs(jobs))
      expectNone('mails', wrongMails(jobs, model, fold))
      expectNone('webhooks', wrongWebhooks(model, fold))
      expectNone('reservations', wrongReservations(fold))
      tally.checked('jobs, each entered once and done', jobs.filter(({ isDone }) => isDone).length)
      tally.checked('mails, at most twice under one Message-ID', mails.size)
      tally.checked('webhooks, each under one id', world.webhooks.received.size)
      tally.checked('reservations, each of an open loan', fold.reservations().length)
    },
  }
}
