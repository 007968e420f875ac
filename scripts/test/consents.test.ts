// Consents through the whole system: what is granted is seen, what is revoked or over is not, and what is not known is not answered.
import { randomUUID } from 'node:crypto'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { streamName } from '@headwater/eventstore/stream-name'
import { application, introduce, post, type System, startSystem, until } from '@headwater/test-kit/system'
import pino from 'pino'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'

let system: System
let headersOf: (sub: string, roles?: readonly string[]) => Promise<Record<string, string>>
let hospital: Record<string, string>

beforeAll(async () => {
  system = await startSystem({ without: ['jobs', 'web'] })
  headersOf = async (sub, roles = []) => ({ authorization: `Bearer ${await system.issuer.tokenOf({ sub, roles })}` })
  hospital = { authorization: `Bearer ${await system.issuer.partnerTokenOf('hospital', ['consents:check'])}` }
})
afterAll(() => system.stop())

const newPeople = async (names: { readonly patient?: string; readonly doctor?: string } = {}) => {
  const [patientId, doctorId] = [`paula-${randomUUID()}`, `dora-${randomUUID()}`]
  const named = (name: string | undefined) => (name === undefined ? {} : { name })
  await introduce(system, {
    [patientId]: { roles: ['patient'], ...named(names.patient) },
    [doctorId]: { roles: ['doctor'], ...named(names.doctor) },
  })
  const doctor = { kind: 'doctor', id: doctorId }
  const [asPatient, asDoctor] = [await headersOf(patientId), await headersOf(doctorId, ['doctor'])]
  const send = async (as: Record<string, string>, name: string, body: object) => {
    const answer = await post(`${system.gateway.url}/api/consents/${name}`, body, as)
    if (answer.status !== 200) throw new Error(`${name}: ${JSON.stringify(answer.body)}`)
    return String(answer.body.position)
  }
  const get = async (as: Record<string, string>, path: string) => {
    const answer = await fetch(`${system.gateway.url}/api/consents${path}`, { headers: as })
    return { status: answer.status, body: (await answer.json()) as { consents: Record<string, unknown>[] } }
  }
  return {
    patientId,
    doctor,
    asPatient,
    asDoctor,
    get,
    grant: (target: string, more: object = {}) => send(asPatient, 'grant', { to: doctor, target, ...more }),
    revoke: (target: string) => send(asPatient, 'revoke', { from: doctor, target }),
    ask: (target: string) => send(asDoctor, 'ask', { patientId, target }),
    check: (target?: string) =>
      post(
        `${system.gateway.url}/api/consents/check`,
        { patientId, grantee: doctor, ...(target && { target }) },
        hospital,
      ),
  }
}

test('the check follows every command at once, without waiting for a position', async () => {
  const { check, grant, revoke } = await newPeople()
  const answers = async () => [(await check('exams')).body.hasConsent, (await check()).body.hasConsent]
  expect(await answers()).toEqual([false, false])
  await grant('exams')
  expect(await answers()).toEqual([true, false])
  await grant('all')
  expect(await answers()).toEqual([true, true])
  await revoke('all')
  expect(await answers()).toEqual([false, false])
})

test('yes until its end and no from then on, before the end is written down', async () => {
  /** Answers up to an end that is so near; none where it is over before it is granted. */
  const answersUntil = async (nearMs: number) => {
    const { check, grant } = await newPeople()
    const end = Date.now() + nearMs
    const isGranted = await grant('exams', { until: new Date(end).toISOString() }).catch((error: Error) => {
      if (!error.message.includes('until_not_in_future')) throw error
    })
    const answers: { at: number; hasConsent: unknown }[] = []
    if (isGranted === undefined) return answers
    await until('it is over', async () => {
      const { body } = await check('exams')
      answers.push({ at: Date.parse(String(body.at)), hasConsent: body.hasConsent })
      return Date.now() > end + 200
    })
    for (const { at, hasConsent } of answers) expect([at, hasConsent]).toEqual([at, at < end])
    return answers
  }
  // A busy machine may need more than the first takes.
  for (const nearMs of [1_500, 6_000, 20_000])
    if ((await answersUntil(nearMs)).some(({ hasConsent }) => hasConsent === true)) return
  throw new Error('Nobody was ever told that there is consent.')
})

test('a projector that stands still: never an old yes, and soon "not known"; a new loan is not "not found"', async () => {
  const { asPatient, check, grant, revoke } = await newPeople()
  const health = async () => (await fetch(`${system.gateway.url}/health/ready`)).json()
  let address = ''
  await grant('exams')
  expect((await check('exams')).body.hasConsent).toBe(true)
  system.projector.signal('SIGSTOP')
  try {
    await revoke('exams')
    const asked = Date.now()
    for (const answer of await Promise.all(Array.from({ length: 10 }, () => check('exams'))))
      expect(answer).toMatchObject({ status: 503, body: { code: 'consent_unknown', knownAt: expect.any(String) } })
    expect((await check('exams')).body.hasConsent).toBeUndefined()
    const { body } = await check('exams')
    expect(Date.parse(String(body.knownAt))).toBeLessThan(asked)
    const applied = await post(`${system.gateway.url}/api/loans`, application(), asPatient)
    expect(applied.status).toBe(201)
    address = `${system.gateway.url}/api/loans/${applied.body.id}`
    const answer = await fetch(address, { headers: asPatient })
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'read_model_behind' }])
    expect(answer.headers.get('retry-after')).toBe('1')
    const trouble = expect.stringMatching(/^It is not known to be current/)
    expect(await health()).toMatchObject({ status: 'degraded', parts: { loans: { trouble }, consents: { trouble } } })
  } finally {
    system.projector.signal('SIGCONT')
  }
  await until('it is known again', async () => (await check('exams')).status === 200)
  expect((await check('exams')).body.hasConsent).toBe(false)
  await until('the loan is there', async () => (await fetch(address, { headers: asPatient })).status === 200)
  await until('all is well', async () => ((await health()) as { status: string }).status === 'ready')
})

test('a projector that stands still is noticed although nothing happens', async () => {
  const { check, grant } = await newPeople()
  await grant('exams')
  expect((await check('exams')).body.hasConsent).toBe(true)
  system.projector.signal('SIGSTOP')
  try {
    expect((await check('exams')).status).toBe(503)
  } finally {
    system.projector.signal('SIGCONT')
  }
  await until('it is known again', async () => (await check('exams')).status === 200)
})

test('a record of which something could not be taken in: never an answer, and all others go on', async () => {
  const { check, grant, get, asPatient, patientId } = await newPeople()
  const others = await newPeople()
  await grant('exams')
  expect((await check('exams')).body.hasConsent).toBe(true)
  const store = connectEventStore({ url: system.eventstoreUrl, logger: pino({ level: 'silent' }) })
  try {
    const event = { id: randomUUID(), type: 'ConsentPainted', data: { patientId }, metadata: {} }
    const stream = streamName('patient', patientId)
    const [last] = (await store.readStream(stream, 0n, 100)).slice(-1)
    await store.append(stream, [event], last?.revision ?? 'no_stream')
  } finally {
    await store.close()
  }
  await until('it is not known any more', async () => (await check('exams')).status === 503)
  expect((await check('exams')).body).toMatchObject({ code: 'consent_unknown' })
  await others.grant('exams')
  expect((await others.check('exams')).body.hasConsent).toBe(true)
  expect((await get(asPatient, '')).status).toBe(200)
  const health = await (await fetch(`${system.projector.url}/health/ready`)).json()
  expect(health).toMatchObject({ status: 'degraded', parts: { consents: { parked: 1, state: 'live' } } })
})

test('only partners with the scope may check', async () => {
  const { asPatient, asDoctor, patientId, doctor } = await newPeople()
  const other = { authorization: `Bearer ${await system.issuer.partnerTokenOf('shop', ['loans:read'])}` }
  for (const as of [asPatient, asDoctor, other])
    expect((await post(`${system.gateway.url}/api/consents/check`, { patientId, grantee: doctor }, as)).status).toBe(
      403,
    )
  expect((await post(`${system.gateway.url}/api/consents/check`, { patientId, grantee: doctor })).status).toBe(401)
  const nonsense = await post(`${system.gateway.url}/api/consents/check`, { patientId, target: 'shoes' }, hospital)
  expect(nonsense).toMatchObject({ status: 422, body: { code: 'validation' } })
})

test('each sees their own lists, and only the patient the history, until it is deleted', async () => {
  const { get, grant, revoke, ask, asPatient, asDoctor, patientId, doctor } = await newPeople()
  await ask('conditions')
  const asked = await get(asPatient, `/requests?after=${await ask('exams')}`)
  expect(asked.body.consents).toMatchObject([
    { grantee: doctor, requests: [{ target: 'exams' }, { target: 'conditions' }] },
  ])
  const after = await grant('exams')
  const [mine, theirs] = [await get(asPatient, `?after=${after}`), await get(asDoctor, `/granted?after=${after}`)]
  const [consent] = mine.body.consents
  expect(consent).toMatchObject({ patientId, grantee: doctor, permissions: [{ target: 'exams', until: null }] })
  expect(theirs.body.consents).toEqual(mine.body.consents)
  const stranger = await headersOf('stranger', ['doctor'])
  for (const path of ['', '/requests', '/granted']) expect((await get(stranger, path)).body.consents).toEqual([])
  const history = await get(asPatient, `/${consent?.consentId}/history`)
  expect(history.body).toMatchObject({
    grantee: doctor,
    complete: true,
    events: [{ type: 'ConsentAsked' }, { type: 'ConsentAsked' }, { type: 'ConsentGranted' }],
  })
  for (const as of [asDoctor, stranger]) expect((await get(as, `/${consent?.consentId}/history`)).status).toBe(404)
  expect((await get(asPatient, `?after=${await revoke('exams')}`)).body.consents).toEqual([])
  const store = connectEventStore({ url: system.eventstoreUrl, logger: pino({ level: 'silent' }) })
  onTestFinished(store.close)
  await store.tombstone(streamName('patient', patientId))
  expect((await get(asPatient, `/${consent?.consentId}/history`)).status).toBe(404)
})

test('a patient is told the name of who asks, and others the name of who lets them see something, not of whom they asked', async () => {
  const { get, grant, revoke, ask, asPatient, asDoctor, patientId, doctor } = await newPeople({
    patient: 'Paula Patient',
    doctor: 'Dora Doctor',
  })
  // To grant by an ID is not enough to learn whose it is.
  const given = await get(asPatient, `?after=${await grant('conditions')}`)
  expect(given.body.consents).toMatchObject([{ grantee: doctor, permissions: [{ target: 'conditions' }] }])
  expect(JSON.stringify(given.body)).not.toContain('Dora Doctor')
  await revoke('conditions')
  const asked = await get(asPatient, `/requests?after=${await ask('exams')}`)
  expect(asked.body.consents).toMatchObject([{ grantee: doctor, granteeName: 'Dora Doctor' }])
  expect(JSON.stringify(asked.body)).not.toContain('Paula Patient')
  expect(JSON.stringify((await get(asDoctor, '/granted')).body)).not.toContain('Paula Patient')
  const after = await grant('exams')
  expect((await get(asDoctor, `/granted?after=${after}`)).body.consents).toMatchObject([
    { patientId, patientName: 'Paula Patient' },
  ])
  const [consent] = (await get(asPatient, `?after=${after}`)).body.consents
  expect(consent).toMatchObject({ granteeName: 'Dora Doctor' })
  expect((await get(asPatient, `/${consent?.consentId}/history`)).body).toMatchObject({ granteeName: 'Dora Doctor' })
})

test('what is asked, granted and revoked is told live to its two people and to nobody else', async () => {
  const { grant, revoke, ask, asPatient, asDoctor } = await newPeople()
  const open = async (headers: Record<string, string>, topic: string) => {
    const socket = new WebSocket(`${system.gateway.url.replace('http', 'ws')}/live`, { headers })
    const told: string[] = []
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString())
      if (message.type === 'snapshot') told.push(`snapshot ${message.rows.length}`)
      if (message.type === 'change') told.push(...message.changes.map(({ op }: { op: string }) => op))
    })
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send(JSON.stringify({ type: 'subscribe', id: '1', topic }))
    await until('the snapshot is there', () => told.length > 0)
    return { told, close: () => socket.close() }
  }
  const followers = {
    requests: await open(asPatient, 'consent-requests'),
    consents: await open(asPatient, 'consents'),
    granted: await open(asDoctor, 'granted-consents'),
    stranger: await open(await headersOf('stranger', ['doctor']), 'granted-consents'),
  }
  await ask('exams')
  await until('it is told', () => followers.requests.told.includes('upsert'))
  await grant('exams')
  await until('it is told', () => followers.requests.told.includes('remove'))
  for (const follower of [followers.consents, followers.granted]) {
    await until('it is told', () => follower.told.includes('upsert'))
  }
  await revoke('exams')
  for (const follower of [followers.consents, followers.granted])
    await until('it is told', () => follower.told.includes('remove'))
  expect(followers.stranger.told).toEqual(['snapshot 0'])
  for (const { close } of Object.values(followers)) close()
})

test('auditors find who was granted what, and how often a partner looked it up', async () => {
  const { patientId, doctor, grant, check } = await newPeople()
  await grant('exams')
  for (const _ of [1, 2]) expect((await check('exams')).body.hasConsent).toBe(true)
  const auditor = await headersOf('ada', ['auditor'])
  const trail = async () => {
    const answer = await fetch(`${system.gateway.url}/api/audit?resource=${patientId}`, { headers: auditor })
    return ((await answer.json()) as { entries: { actor: string; action: string; details: { count?: number } }[] })
      .entries
  }
  const of = async (action: string) => (await trail()).filter((entry) => entry.action === action)
  const looked = async () => (await of('ConsentChecked')).reduce((sum, { details }) => sum + (details.count ?? 0), 0)
  // A gateway that stops tells of the minute that is not over yet.
  await system.gateway.stop()
  await system.gateway.start()
  // Those of one minute are told of together, and the next may have begun between the two.
  await until('the look-ups are in the trail', async () => (await looked()) === 2)
  const about = { grantee: `doctor ${doctor.id}`, target: 'exams' }
  for (const entry of await of('ConsentChecked')) expect(entry).toMatchObject({ actor: 'hospital', details: about })
  await until('so is the consent', async () => (await of('ConsentGranted')).length > 0)
  expect(await of('ConsentGranted')).toMatchObject([{ actor: patientId, details: about }])
})
