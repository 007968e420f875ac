// The loans and consents that pictures show: made through the API by demo people of the system that is pictured.
import { randomUUID } from 'node:crypto'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { post } from '@headwater/test-kit/system'
import { until } from '@headwater/test-kit/until'
import { pino } from 'pino'
import { demoTokens } from '../local/demo-tokens.ts'

export const makePictured = async (url: string, issuer: string) => {
  const tokenOf = demoTokens(issuer, url)
  const as = async (userName: string) => ({ authorization: `Bearer ${await tokenOf(userName)}` })

  /** A loan as it is when the bureau gives such a score. */
  const loanWith = async (score: number, serial: number, more: object = {}) => {
    const nationalId = `${score}${String(serial).padStart(5, '0')}XX`
    const usual = { name: 'Ada Lovelace', address: '12 St James Square, London', nationalId, amount: 12_500 }
    const applicant = { ...usual, ...more }
    const { status, body } = await post(`${url}/api/loans`, applicant, await as('alice'))
    if (status !== 201) throw new Error(`${url} does not take applications: ${JSON.stringify(body)}`)
    const headers = await as('uma')
    await fetch(`${url}/api/loans/${body.id}?after=${body.position}`, { headers })
    await fetch(`${url}/api/underwriting/queue?after=${body.position}`, { headers })
    return { id: String(body.id), nationalId }
  }
  const decide = async (id: string, decision: 'approve' | 'deny' | 'withdraw') => {
    const [body, who] = decision === 'withdraw' ? [{}, 'alice'] : [{ reason: 'steady income' }, 'uma']
    const { status } = await post(`${url}/api/loans/${id}/${decision}`, body, await as(who))
    if (status !== 200) throw new Error(`${who} may not ${decision} ${id}: ${status}`)
  }

  /** Between a patient and those who care for her; what stands already from a time before is left as it is. */
  const consent = async (userName: string, command: 'ask' | 'grant', body: object) => {
    const { status, body: answer } = await post(`${url}/api/consents/${command}`, body, await as(userName))
    if (status !== 200 && answer.code !== 'consent_already_granted')
      throw new Error(`${userName} may not ${command}: ${JSON.stringify(answer)}`)
  }
  /** The id by which others know them. */
  const idOf = async (userName: string): Promise<string> => {
    const answer = await fetch(`${url}/api/consents`, { headers: await as(userName) })
    return ((await answer.json()) as { readonly me: string }).me
  }

  const serial = Math.floor(Math.random() * 90_000)
  const waiting = await loanWith(5, serial)
  const approved = await loanWith(9, serial + 1)
  const declined = await loanWith(1, serial + 2)
  const withdrawn = await loanWith(6, serial + 3)
  await decide(withdrawn.id, 'withdraw')
  const longName = 'Hubert Blaine Wolfeschlegelsteinhausenbergerdorff van den Berg-Ångström y Fernández'
  const long = await loanWith(5, serial + 4, { name: longName, address: 'x'.repeat(90), amount: 10_000_000 })

  const [patientId, doctor, nurse] = [
    await idOf('paula'),
    { kind: 'doctor', id: await idOf('dora') },
    { kind: 'nurse', id: await idOf('nils') },
  ]
  const month = new Date(Date.now() + 30 * 86_400_000).toISOString()
  // The names of those who asked are known to the patient.
  await consent('dora', 'ask', { patientId, target: 'conditions' })
  await consent('nils', 'ask', { patientId, target: 'consultations' })
  await consent('paula', 'grant', { to: doctor, target: 'conditions' })
  await consent('paula', 'grant', { to: nurse, target: 'consultations', until: month })
  await consent('dora', 'ask', { patientId, target: 'exams', purpose: 'Your blood test of last week, before we meet' })

  type Parked = {
    readonly parked: readonly { readonly id: string; readonly follower: string; readonly skipped: unknown }[]
  }
  const parked = async () => {
    const answer = await fetch(`${url}/api/operations/parked`, { headers: await as('otto') })
    return ((await answer.json()) as Parked).parked.filter(({ skipped }) => skipped === null)
  }
  /** An event of a loan that nobody knows. */
  const park = async (eventstore: string, loanId: string) => {
    const store = connectEventStore({ url: eventstore, logger: pino({ level: 'silent' }) })
    const stream = `loan-${loanId}`
    const [last] = (await store.readStream(stream, 0n, 1_000)).slice(-1)
    await store.append(
      stream,
      [{ id: randomUUID(), type: 'LoanPainted', data: {}, metadata: {} }],
      last?.revision ?? 'any',
    )
    await store.close()
    await until('it is parked', async () => (await parked()).length > 2)
  }
  const skipParked = async () => {
    const body = { reason: 'only for a picture' }
    for (const { id, follower } of await parked())
      await post(`${url}/api/operations/parked/${id}/skip`, { ...body, follower }, await as('otto'))
  }
  // Curves begin when an operator looks.
  await fetch(`${url}/api/operations`, { headers: await as('otto') })

  return { waiting, approved, declined, withdrawn, long, patientId, loanWith, decide, park, skipParked }
}
