// Applicants, underwriters, patients, doctors and a hospital at work: each insists until there is an answer, as careful clients do.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chance } from '@headwater/test-kit/chance'
import { application, introduce, nationalId } from '@headwater/test-kit/system'
import { type Decision, type Model, newPatient, type PatientModel } from './model.ts'
import type { World } from './world.ts'

const patienceMs = 4_000
const retryDelayMs = 50
/** Everything is mended long before. */
const insistMsMax = 120_000
const pauseMsMax = 100
/** Of a consent that ends by itself. */
const briefMs = { min: 1_500, max: 4_000 }
/** Which the bureau scores so that an underwriter decides. */
const reviewedDigits = [5, 6]

export const doctors = ['dora', 'dan', 'dina'] as const
const targets = ['exams', 'conditions', 'consultations', 'er_visits'] as const
/** Nurses of each patient, one for each consent that ends by itself: more than the longest run grants. */
const guestsMax = 20_000

type Headers = Readonly<Record<string, string>>
type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

const ask = async (url: string, body: object, headers: Headers): Promise<Answer> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(patienceMs),
  })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

/** Asks until there is an answer, always with the same key. The credit check may be late. */
const insist = async (url: () => string, body: object, as: Headers): Promise<Answer> => {
  const key = randomUUID()
  const giveUpAtMs = performance.now() + insistMsMax
  for (;;) {
    const asked = url()
    const answer = await ask(asked, body, { 'idempotency-key': key, ...as }).catch(() => undefined)
    if (answer && answer.status < 500 && answer.body.loanStatus !== 'checking') return answer
    if (performance.now() > giveUpAtMs)
      throw new Error(`${asked} has no answer after ${insistMsMax} ms; last: ${JSON.stringify(answer)}`)
    await sleep(retryDelayMs)
  }
}

const unexpected = (what: string, { status, body }: Answer) =>
  new Error(`${what} was answered ${status} ${JSON.stringify(body)}`)

export type Workload = {
  /** Works until `isOver`, and finishes what it is at. */
  readonly work: (chance: Chance, isOver: () => boolean) => Promise<void>
}

/** Goes on for as long as there is time, with small pauses: nobody types without end. */
const repeat = async (chance: Chance, isOver: () => boolean, once: () => Promise<void>) => {
  while (!isOver()) {
    await once()
    await sleep(chance.between(0, pauseMsMax))
  }
}

export const loanWorkload = ({ system, asPartner, asUnderwriter, asApplicantOf }: World, model: Model): Workload => {
  let serial = 0

  const once = async (chance: Chance) => {
    // Through the front door and past it: two replicas work on the same store.
    const entrance = () => chance.pick([system.gateway, ...system.loans]).url
    const acknowledge = (what: string, expected: number, answer: Answer, fact: string) => {
      if (answer.status !== expected) throw unexpected(what, answer)
      const { id, revision, position } = answer.body
      const stream = `loan-${id}`
      model.acknowledged.push({ stream, revision: Number(revision), position: String(position), fact })
      return String(id)
    }
    const digit = chance.between(1, 9)
    const isPartners = chance.between(1, 4) === 1
    const body = application(nationalId(digit, serial++))
    const applied = await insist(() => `${entrance()}/api/loans`, body, isPartners ? asPartner : {})
    const id = acknowledge('An application', 201, applied, 'LoanRequested')
    const loan: { isPartners: boolean; decision: Decision } = { isPartners, decision: 'none' }
    model.loans.set(id, loan)
    if (!reviewedDigits.includes(digit)) return
    const decision = chance.pick(['approve', 'deny', 'withdraw', 'approve', 'deny', 'withdraw', 'none'] as const)
    if (decision === 'none') return
    const asOwner = isPartners ? asPartner : await asApplicantOf(id)
    const as = decision === 'withdraw' ? asOwner : asUnderwriter
    const decided = await insist(() => `${entrance()}/api/loans/${id}/${decision}`, {}, as)
    const facts = { approve: 'ManuallyApproved', deny: 'ManuallyDenied', withdraw: 'LoanWithdrawn' }
    acknowledge(`To ${decision} it`, 200, decided, facts[decision])
    loan.decision = decision
  }
  return { work: (chance, isOver) => repeat(chance, isOver, () => once(chance)) }
}

/** One patient's, whom nobody else works on: what is acknowledged follows one another. */
export const consentWorkload = async (world: World, model: Model, patientId: string): Promise<Workload> => {
  const { system, asPerson, asHospital, tally } = world
  const asPatient = await asPerson(patientId)
  const asDoctor = new Map(await Promise.all(doctors.map(async (id) => [id, await asPerson(id, ['doctor'])] as const)))
  const patient: PatientModel = newPatient()
  model.patients.set(patientId, patient)
  let guests = 0
  const guest = (n: number) => `guest-${patientId}-${n}`
  await introduce(system, {
    [patientId]: {},
    ...Object.fromEntries(doctors.map((id) => [id, { roles: ['doctor'] }])),
    ...Object.fromEntries(Array.from({ length: guestsMax }, (_, n) => [guest(n), { roles: ['nurse'] }])),
  })

  const acknowledge = (answer: Answer, fact: string) => {
    if (answer.status !== 200) throw unexpected(fact, answer)
    const { revision, position } = answer.body
    const stream = `patient-${patientId}`
    // Who asks does not learn how much has happened to the record.
    const shown = fact.startsWith('ConsentAsked') ? undefined : Number(revision)
    model.acknowledged.push({ stream, revision: shown, position: String(position), fact })
    patient.facts.push(fact)
  }
  /** Where news is sent, as the gateway tells it at sign-in. */
  const register = async () => {
    const url = `${system.consent.url}/api/consents/contact`
    acknowledge(await insist(() => url, { email: `${patientId}@example.com` }, asPatient), 'ContactRegistered')
  }

  const check = async (key: string, grantee: object, target: string) => {
    const believed = patient.granted.has(key)
    const url = `${system.gateway.url}/api/consents/check`
    const answer = await ask(url, { patientId, grantee, target }, asHospital).catch(() => undefined)
    if (!answer || answer.status >= 500) return tally.checked('checks of a consent that were answered "not known"', 1)
    if (answer.status !== 200) throw unexpected('A check', answer)
    if (answer.body.hasConsent !== believed)
      throw new Error(`A check of ${patientId}, ${key}, said ${answer.body.hasConsent}; granted: ${believed}`)
    tally.checked('checks of a consent that said what had been acknowledged', 1)
  }

  const grantBriefly = async (chance: Chance, entrance: () => string) => {
    const to = { kind: 'nurse', id: guest(guests++) }
    const until = new Date(Date.now() + chance.between(briefMs.min, briefMs.max)).toISOString()
    const answer = await insist(() => `${entrance()}/api/consents/grant`, { to, target: 'exams', until }, asPatient)
    // It took so long that the end has passed, or a clock says so.
    if (answer.body.code === 'until_not_in_future') return
    acknowledge(answer, `ConsentGranted nurse:${to.id} exams`)
    patient.ending.add(`nurse:${to.id} exams`)
  }

  const once = async (chance: Chance) => {
    const entrance = () => chance.pick([system.gateway, system.consent]).url
    const send = (name: string, body: object, as: Headers) =>
      insist(() => `${entrance()}/api/consents/${name}`, body, as)
    if (patient.facts.length === 0) await register()
    if (chance.between(1, 8) === 1) return grantBriefly(chance, entrance)
    const doctor = chance.pick(doctors)
    const target = chance.pick(targets)
    const grantee = { kind: 'doctor', id: doctor }
    const key = `doctor:${doctor} ${target}`
    const isGranted = patient.granted.has(key)
    if (isGranted) {
      acknowledge(await send('revoke', { from: grantee, target }, asPatient), `ConsentRevoked ${key}`)
      patient.granted.delete(key)
    } else if (!patient.asked.has(key) && chance.between(1, 2) === 1) {
      acknowledge(await send('ask', { patientId, target }, asDoctor.get(doctor) ?? {}), `ConsentAsked ${key}`)
      patient.asked.add(key)
    } else {
      acknowledge(await send('grant', { to: grantee, target }, asPatient), `ConsentGranted ${key}`)
      patient.granted.add(key)
      patient.asked.delete(key)
    }
    await check(key, grantee, target)
  }
  return { work: (chance, isOver) => repeat(chance, isOver, () => once(chance)) }
}
