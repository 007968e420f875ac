// Who uses the system while it is watched: applicants and underwriters, patients and a hospital, visitors, and viewers of live pages.
import { randomUUID } from 'node:crypto'
import { followTopic, type LiveClient } from '@headwater/test-kit/live-client'
import { introduce, type System, underwriter } from '@headwater/test-kit/system'
import { nationalIdOf } from '../bench/load.ts'

const answerTimeoutMs = 20_000
const patients = 200
/** Each is granted something by a patient and loses it again, in turn. */
const doctors = 10_000
const viewersOfEach = 5

type Headers = Readonly<Record<string, string>>

export type People = {
  /** One of them does what they came for. @throws when the answer is another than it should be */
  readonly act: (n: number) => Promise<void>
  readonly viewers: readonly LiveClient[]
  readonly leave: () => Promise<void>
}

export const invitePeople = async (system: System): Promise<People> => {
  const { gateway, issuer } = system
  const doctorId = (n: number) => `doctor-${n % doctors}`
  await introduce(
    system,
    Object.fromEntries(Array.from({ length: doctors }, (_, n) => [doctorId(n), { roles: ['doctor'] }])),
  )
  const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` })
  const asUnderwriter = bearer(await issuer.tokenOf({ sub: underwriter, roles: ['underwriter'] }))
  const asPartner = bearer(await issuer.partnerTokenOf('shop', ['loans:write', 'loans:read']))
  const asHospital = bearer(await issuer.partnerTokenOf('hospital', ['consents:check']))
  const asPatient = await Promise.all(
    Array.from({ length: patients }, async (_, n) => bearer(await issuer.tokenOf({ sub: `patient-${n}` }))),
  )

  const ask = async (path: string, status: number, headers: Headers, body?: object) => {
    const response = await fetch(gateway.url + path, {
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
      signal: AbortSignal.timeout(answerTimeoutMs),
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.status !== status) throw new Error(`${path} was answered ${response.status} ${text.slice(0, 300)}`)
    return text
  }

  let persons = 0
  const borrow = async () => {
    const application = { name: 'Ada Lovelace', address: '12 St James Square, London', amount: 10_000 }
    const body = { ...application, nationalId: nationalIdOf(persons++) }
    const { id, position } = JSON.parse(await ask('/api/loans', 201, asPartner, body))
    await ask(`/api/loans/${id}?after=${encodeURIComponent(position)}`, 200, asPartner)
    await ask(`/api/loans/${id}/${persons % 2 === 0 ? 'approve' : 'deny'}`, 200, asUnderwriter, {})
  }

  let visits = 0
  /** One after the other: nobody is at two places at once. */
  const consent = async () => {
    const doctor = { kind: 'doctor', id: doctorId(visits) }
    const n = visits++ % patients
    const patientId = `patient-${n}`
    const as = asPatient[n] ?? {}
    await ask('/api/consents/grant', 200, as, { to: doctor, target: 'exams' })
    await ask('/api/consents/check', 200, asHospital, { patientId, grantee: doctor, target: 'exams' })
    await ask('/api/consents/revoke', 200, as, { from: doctor, target: 'exams' })
  }

  const visit = async () => {
    await ask('/', 200, {})
    await ask('/api/loans?limit=20', 200, asUnderwriter)
  }
  const actions = [borrow, consent, borrow, visit]

  const viewers = ['loans', 'underwriting'].flatMap((topic) =>
    Array.from({ length: viewersOfEach }, () =>
      followTopic(gateway.url, topic, (row) => String(row.loanId), asUnderwriter),
    ),
  )
  return {
    act: (n) => (actions[n % actions.length] ?? borrow)(),
    viewers,
    leave: async () => {
      for (const viewer of viewers) await viewer.stop()
    },
  }
}
