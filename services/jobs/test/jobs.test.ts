// Jobs as a process: what follows from events happens, once, however late and whatever fails meanwhile.
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { triesMaxDefault } from '@headwater/jobs/task'
import { describe, expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { startWorld, untilMatches } from './support.ts'

const at = '2026-11-21T10:00:00.000Z'

describe('check credit', () => {
  test('the bureau is failing, answers garbage, or is slow: the job waits, and decides when the bureau is back', async () => {
    const world = await startWorld()
    await world.startJobs()
    for (const [place, mode] of (['failing', 'garbage', 'slow'] as const).entries()) {
      const nationalId = `55555${place}AA`
      await world.bureau.behave(mode, mode === 'slow' ? 60_000 : 0)
      const loanId = await world.requestLoan(nationalId)
      await untilMatches(world.queue, [{ kind: 'check credit', tried: true, running: false }])
      expect(await world.loanEvents(loanId)).toEqual(['LoanRequested'])

      await world.bureau.behave('normal')
      await untilMatches(() => world.loanEvents(loanId), ['LoanRequested', 'CreditChecked', 'ManualReviewRequired'])
      await untilMatches(world.queue, [])
      expect(await world.applicantEvents(nationalId)).toEqual(['ApplicationReserved'])
    }
  })

  test('a score that comes after a withdrawal changes nothing', async () => {
    const world = await startWorld()
    const asked = Promise.withResolvers<ServerResponse>()
    const bureau = await startReceiver(asked.resolve)
    await world.startJobs({ CREDIT_BUREAU_URL: bureau.url })
    const loanId = await world.requestLoan('555555AA')
    const answer = await asked.promise
    await world.send({ type: 'WithdrawLoan', data: { loanId, at } })
    answer.writeHead(200).end(JSON.stringify({ score: 5, checkedAt: at }))
    await untilMatches(
      async () => (await world.ledger()).filter(({ kind }) => kind === 'check credit'),
      [{ done: true }],
    )
    expect(await world.loanEvents(loanId)).toEqual(['LoanRequested', 'LoanWithdrawn'])
  })
})

test('Postgres is away when jobs come to their end: the process runs on, and what is not known to be done is done again', async () => {
  const world = await startWorld()
  const jobs = await world.startJobs()
  // Well below what the bureau is waited for: who gives it up tries again when Postgres is back.
  await world.bureau.behave('normal', 1_000)
  // One after the other, so that what becomes of them is not written down in one go.
  const loanIds: string[] = []
  const waiting = async () => (await world.queue()).filter(({ running }) => !running)
  for (const n of [1, 2, 3]) {
    const loanId = await world.requestLoan(`55555${n}AA`)
    loanIds.push(loanId)
    await expect.poll(world.ledger).toContainEqual(expect.objectContaining({ kind: 'check credit', loan: loanId }))
    await expect.poll(waiting).toEqual([])
  }
  const mend = await world.database.interrupt()
  const whole = ['LoanRequested', 'CreditChecked', 'ManualReviewRequired']
  for (const loanId of loanIds) await untilMatches(() => world.loanEvents(loanId), whole)
  await untilMatches(jobs.health, { status: 'degraded', parts: { worker: { trouble: expect.any(String) } } })
  await mend()
  const undone = async () => {
    await world.pass(1)
    return (await world.ledger()).filter(({ kind, done }) => kind === 'check credit' && !done)
  }
  await expect.poll(undone).toEqual([])
  for (const loanId of loanIds) expect(await world.loanEvents(loanId)).toEqual(whole)
})

test('a job that was handed out in an answer that never came is run by somebody', async () => {
  const world = await startWorld()
  const jobs = await world.startJobs()
  await world.bureau.behave('failing')
  const loanId = await world.requestLoan('555555AA')
  await untilMatches(world.queue, [{ kind: 'check credit', tried: true, running: false }])
  await world.bureau.behave('normal')
  // As it is when the connection breaks between the library's `update` and its answer: the process lives and knows of no job.
  await world.database.client.query(
    `update graphile_worker._private_jobs set run_at = now(), locked_at = now(),
       locked_by = (select id from headwater.job_workers limit 1)
     where attempts > 0`,
  )
  const mend = await world.database.interrupt()
  await untilMatches(jobs.health, { status: 'degraded', parts: { worker: { trouble: expect.any(String) } } })
  await mend()
  await untilMatches(() => world.loanEvents(loanId), ['LoanRequested', 'CreditChecked', 'ManualReviewRequired'])
})

test('each outcome releases the applicant', async () => {
  const world = await startWorld()
  await world.startJobs()
  for (const [place, [outcome, score, command]] of (
    [
      ['AutoApproved', 9, undefined],
      ['AutoDenied', 1, undefined],
      ['ManuallyApproved', 5, 'ApproveLoan'],
      ['ManuallyDenied', 5, 'DenyLoan'],
      ['LoanWithdrawn', 5, 'WithdrawLoan'],
    ] as const
  ).entries()) {
    const nationalId = `55555${place}AA`
    const loanId = await world.requestLoan(nationalId, score)
    if (command === 'WithdrawLoan') await world.send({ type: command, data: { loanId, at } })
    else if (command) await world.send({ type: command, data: { loanId, decidedBy: 'grace', at } })
    expect((await world.loanEvents(loanId)).at(-1)).toBe(outcome)
    await untilMatches(() => world.applicantEvents(nationalId), ['ApplicationReserved', 'ApplicationReleased'])
  }
})

describe('abandon application', () => {
  test('a reservation without a request is given up, and the request that comes late is refused', async () => {
    const world = await startWorld()
    await world.startJobs()
    const loanId = randomUUID()
    await world.reserve(loanId, '555555AA')
    await untilMatches(world.ledger, [{ kind: 'abandon application', done: false }])
    await world.pass(15)
    await untilMatches(() => world.applicantEvents('555555AA'), ['ApplicationReserved', 'ApplicationReleased'])
    expect(await world.loanEvents(loanId)).toEqual(['LoanAbandoned'])

    await world.requestLoan('555555AA', 5)
    const person = { name: 'Ada', address: 'London', nationalId: '555555AA', amount: 1 }
    const late = { loanId, ...person, requestedBy: { kind: 'anonymous', id: 'anonymous' }, at } as const
    await expect(world.send({ type: 'RequestLoan', data: late })).rejects.toMatchObject({
      code: 'loan_already_requested',
    })
  })

  test('a loan that is open keeps the reservation of its applicant, and of no other person, until it is deleted', async () => {
    const world = await startWorld()
    await world.startJobs()
    const loanId = await world.requestLoan('555555AA', 5)
    await world.reserve(loanId, '666666AA')
    await untilMatches(
      async () => (await world.ledger()).map(({ kind }) => kind).sort(),
      ['abandon application', 'abandon application', 'check credit'],
    )
    await world.pass(15)
    await untilMatches(world.ledger, [{ done: true }, { done: true }, { done: true }])
    expect(await world.loanEvents(loanId)).toEqual(['LoanRequested', 'CreditChecked', 'ManualReviewRequired'])
    expect(await world.applicantEvents('555555AA')).toEqual(['ApplicationReserved'])
    expect(await world.applicantEvents('666666AA')).toEqual(['ApplicationReserved', 'ApplicationReleased'])

    await world.store.tombstone(`loan-${loanId}`)
    await untilMatches(() => world.applicantEvents('555555AA'), ['ApplicationReserved', 'ApplicationReleased'])
    await untilMatches(world.queue, [])
    expect((await world.ledger()).every(({ done }) => done)).toBe(true)
  })
})

describe('once', () => {
  test('what happened before the first start has no consequences, all that happened since then has', async () => {
    const world = await startWorld()
    const before = await world.requestLoan('555555AA')
    const first = await world.startJobs()
    await first.stop()
    const meanwhile = await world.requestLoan('666666AA')
    await world.startJobs()
    await untilMatches(() => world.loanEvents(meanwhile), ['LoanRequested', 'CreditChecked', 'ManualReviewRequired'])
    expect(await world.loanEvents(before)).toEqual(['LoanRequested'])
    expect((await world.ledger()).map(({ loan }) => loan)).toEqual([meanwhile, meanwhile])
  })

  test('events that come again make no second job', async () => {
    const world = await startWorld()
    const first = await world.startJobs()
    const loanId = await world.requestLoan('999999AA')
    await untilMatches(() => world.applicantEvents('999999AA'), ['ApplicationReserved', 'ApplicationReleased'])
    await untilMatches(world.queue, [])
    await first.stop()
    const ledger = await world.ledger()

    await world.database.client.query(
      `update headwater.followers set commit_position = 0, prepare_position = 0, event_id = null`,
    )
    const again = await world.startJobs()
    await untilMatches(again.health, { parts: { follower: { state: 'live', lagMs: 0 } } })
    expect(await world.ledger()).toEqual(ledger)
    expect(await world.queue()).toEqual([])
    expect(await world.loanEvents(loanId)).toHaveLength(3)
  })
})

test('what fails for good is parked, seen by operators, and run again or skipped when they say so', async () => {
  const world = await startWorld()
  const headersOf = async (...roles: string[]) => ({ authorization: `Bearer ${await world.issuer.tokenOf({ roles })}` })
  const headers = await headersOf('operator')
  const jobs = await world.startJobs()
  const loanId = randomUUID()
  // As no version of ours writes it: there is no national id to find the applicant by.
  const events = ['LoanRequested', 'LoanWithdrawn'].map((type) => ({
    id: randomUUID(),
    type,
    data: { loanId, requestedBy: { kind: 'anonymous', id: 'anonymous' } },
    metadata: {},
  }))
  await world.store.append(`loan-${loanId}`, events, 'no_stream')
  const parked = async () => {
    await world.pass(1)
    return (await fetch(`${jobs.url}/parked-jobs`, { headers })).json()
  }
  await untilMatches(parked, {
    count: 1,
    jobs: [{ kind: 'release application', stream: `loan-${loanId}`, error: expect.stringContaining('TypeError') }],
  })
  await untilMatches(jobs.health, { status: 'degraded', parts: { 'parked jobs': { count: 1 } } })
  // A gauge that cannot be read in time is left out.
  await expect.poll(async () => (await fetch(`${jobs.url}/metrics`)).text()).toContain('jobs_parked 1')

  const [job] = ((await parked()) as { jobs: { id: string }[] }).jobs
  const runAgain = async (as: Record<string, string> = headers) =>
    (await fetch(`${jobs.url}/parked-jobs/${job?.id}/run-again`, { method: 'POST', headers: as })).status
  const skip = async (reason: string, as: Record<string, string> = headers) => {
    const asked = {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...as },
      body: JSON.stringify({ reason }),
    }
    return (await fetch(`${jobs.url}/parked-jobs/${job?.id}/skip`, asked)).status
  }
  for (const [as, status] of [
    [{}, 401],
    [await headersOf(), 403],
    [await headersOf('underwriter', 'auditor'), 403],
  ] as const) {
    expect((await fetch(`${jobs.url}/parked-jobs`, { headers: as })).status).toBe(status)
    expect(await runAgain(as)).toBe(status)
    expect(await skip('seen to by hand', as)).toBe(status)
  }
  expect(await runAgain()).toBe(204)
  expect(await runAgain()).toBe(404)
  await untilMatches(parked, { count: 1 })

  expect(await skip(' ')).toBe(422)
  expect(await skip('seen to by hand')).toBe(204)
  expect(await skip('once more')).toBe(404)
  expect(await runAgain()).toBe(404)
  await untilMatches(parked, { count: 0, jobs: [] })
  await untilMatches(jobs.health, { status: 'ready' })
})

test('a job that meets what a newer release has written waits for that release, and is not parked', async () => {
  const world = await startWorld()
  await world.startJobs()
  await world.bureau.behave('failing')
  const loanId = await world.requestLoan('555555AA')
  await untilMatches(world.queue, [{ kind: 'check credit', tried: true, running: false }])
  const frozen = { id: randomUUID(), type: 'LoanFrozen', data: { loanId }, metadata: { schema: 1 } }
  await world.store.append(`loan-${loanId}`, [frozen], 0n)
  await world.bureau.behave('normal')
  // As if it had been tried so often.
  await world.database.client.query('update graphile_worker._private_jobs set attempts = $1', [triesMaxDefault])
  const attempts = async () => {
    await world.pass(1)
    return (await world.queue())[0]?.attempts ?? 0
  }
  await expect.poll(attempts).toBeGreaterThan(triesMaxDefault + 1)
  expect(await world.ledger()).toContainEqual({ kind: 'check credit', loan: loanId, done: false, parked: false })
  expect(await world.loanEvents(loanId)).toEqual(['LoanRequested', 'LoanFrozen'])
})

test('an event whose consequences are not known parks its stream, and all others have theirs', async () => {
  const world = await startWorld()
  const jobs = await world.startJobs()
  // As earlier releases let anybody send them.
  const odd = { patientId: 'a\0b', target: 'exams', askedAt: at, grantedAt: at }
  const by = { kind: 'doctor', id: 'd\ud800' }
  const asked = { id: randomUUID(), type: 'ConsentAsked', data: { ...odd, by, purpose: '\0' }, metadata: {} }
  const granted = { id: randomUUID(), type: 'ConsentGranted', data: { ...odd, to: by, until: at }, metadata: {} }
  const unknown = { id: randomUUID(), type: 'ConsentFrozen\0', data: odd, metadata: {} }
  await world.store.append(`patient-${odd.patientId}`, [asked, granted], 'no_stream')
  await world.store.append('patient-\0', [unknown], 'no_stream')
  await untilMatches(
    async () =>
      (await world.ledger())
        .filter(({ done }) => done)
        .map(({ kind }) => kind)
        .sort(),
    ['expire consent', 'mail consent asked'],
  )
  await untilMatches(jobs.health, { parts: { follower: { state: 'live', parked: 1 } } })
  await world.database.client.query(
    `insert into headwater.wishes (follower, kind, event_id, details) values ('jobs', 'skip', $1, $2)`,
    [unknown.id, { by: 'otto', at, reason: 'never meant' }],
  )
  await untilMatches(jobs.health, { status: 'ready', parts: { follower: { state: 'live', parked: 0 } } })

  await world.bureau.behave('failing')
  const stuck = await world.requestLoan('555555AA')
  const frozen = { id: randomUUID(), type: 'LoanFrozen', data: { loanId: stuck }, metadata: { schema: 1 } }
  await world.store.append(`loan-${stuck}`, [frozen], 0n)
  await untilMatches(jobs.health, { status: 'degraded', parts: { follower: { state: 'live', parked: 1 } } })
  await world.bureau.behave('normal')
  const other = await world.requestLoan('666666AA')
  await untilMatches(() => world.loanEvents(other), ['LoanRequested', 'CreditChecked', 'ManualReviewRequired'])
  // The next process knows, and tries again.
  await jobs.stop()
  const next = await world.startJobs()
  await untilMatches(next.health, { parts: { follower: { state: 'live', parked: 1 } } })
})

describe('several processes', () => {
  test("a killed worker's jobs run again within 15 s", async () => {
    const world = await startWorld()
    const victim = await world.startJobs()
    await world.bureau.behave('slow', 60_000)
    const loanId = await world.requestLoan('555555AA')
    await untilMatches(world.queue, [{ kind: 'check credit', running: true }])
    await victim.kill()
    await world.bureau.behave('normal')
    expect(await world.queue()).toMatchObject([{ running: true }])
    const successor = await world.startJobs()
    await untilMatches(
      () => world.loanEvents(loanId),
      ['LoanRequested', 'CreditChecked', 'ManualReviewRequired'],
      15_000,
    )
    await successor.stop()
  })

  test.each(['SIGKILL', 'SIGSTOP'] as const)(
    'one follows; after %s the other does, and nothing is lost or doubled',
    async (signal) => {
      const world = await startWorld()
      const active = await world.startJobs()
      await untilMatches(active.health, { parts: { follower: { state: 'live' } } })
      const other = await world.startJobs()
      await untilMatches(other.health, { parts: { follower: { state: 'standing by' } } })

      active.signal(signal)
      const loanId = await world.requestLoan('999999AA')
      await untilMatches(() => world.applicantEvents('999999AA'), ['ApplicationReserved', 'ApplicationReleased'])
      expect(await world.loanEvents(loanId)).toEqual(['LoanRequested', 'CreditChecked', 'AutoApproved'])
      await untilMatches(other.health, { parts: { follower: { state: 'live' } } })
      if (signal === 'SIGSTOP') {
        active.signal('SIGCONT')
        await untilMatches(active.health, { parts: { follower: { state: 'standing by' } } })
      }
      expect((await world.ledger()).map(({ kind }) => kind).sort()).toEqual([
        'abandon application',
        'check credit',
        'release application',
        'tell partner',
      ])
    },
  )
})
