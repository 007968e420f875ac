// Every command over HTTP: who may send it, whose record it is about, and what each refusal looks like.
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { startConsent } from './support.ts'

const soon = () => new Date(Date.now() + 60_000).toISOString()

test('a doctor asks, the patient grants and revokes', async () => {
  const { post, eventsOf, paula, dora, doctor } = await startConsent()
  const patientId = paula.sub
  expect(await post(dora, 'ask', { patientId, target: 'exams', purpose: 'The operation' })).toMatchObject({
    status: 200,
    headers: { etag: '"0"', 'headwater-position': expect.any(String) },
    body: { id: patientId, revision: '0' },
  })
  const until = soon()
  expect(await post(paula, 'grant', { to: doctor, target: 'exams', until })).toMatchObject({ status: 200 })
  expect(await post(paula, 'revoke', { from: doctor, target: 'exams' })).toMatchObject({ status: 200 })
  const at = expect.any(String)
  expect(await eventsOf(patientId)).toMatchObject([
    {
      type: 'ConsentAsked',
      data: { patientId, by: doctor, target: 'exams', purpose: 'The operation', askedAt: at },
      metadata: { actor: dora.sub },
    },
    { type: 'ConsentGranted', data: { patientId, to: doctor, target: 'exams', until }, metadata: { actor: patientId } },
    { type: 'ConsentRevoked', data: { patientId, from: doctor, target: 'exams' } },
  ])
})

test('an end may be said in any zone and is kept in one', async () => {
  const { post, eventsOf, paula, doctor } = await startConsent()
  await post(paula, 'grant', { to: doctor, target: 'exams', until: '2999-01-01T01:30:00+01:30' })
  expect(await eventsOf(paula.sub)).toMatchObject([{ data: { until: '2999-01-01T00:00:00.000Z' } }])
})

test('an open request is declined', async () => {
  const { post, eventsOf, paula, dora, doctor } = await startConsent()
  await post(dora, 'ask', { patientId: paula.sub, target: 'all' })
  expect((await post(paula, 'decline', { by: doctor, target: 'all' })).status).toBe(200)
  expect((await eventsOf(paula.sub)).map(({ type }) => type)).toEqual(['ConsentAsked', 'ConsentDeclined'])
})

test('an address is kept for the signed-in person', async () => {
  const { post, eventsOf, paula } = await startConsent()
  expect((await post(paula, 'contact', { email: 'paula@example.org' })).status).toBe(200)
  expect((await post(paula, 'contact', { email: 'paula@example.org' })).status).toBe(200)
  expect(await eventsOf(paula.sub)).toMatchObject([
    { type: 'ContactRegistered', data: { patientId: paula.sub, email: 'paula@example.org' } },
  ])
})

test('rules refuse with their code', async () => {
  const { post, paula, dora, doctor } = await startConsent()
  const patientId = paula.sub
  const refused = async (answer: ReturnType<typeof post>) => {
    const { status, body } = await answer
    return `${status} ${body.code}`
  }
  const grant = (to: object, more: object = {}) => post(paula, 'grant', { to, target: 'exams', ...more })
  expect(await refused(post({ ...paula, roles: ['doctor'] }, 'ask', { patientId, target: 'exams' }))).toBe(
    '409 asking_oneself',
  )
  expect(await refused(grant({ kind: 'nurse', id: patientId }))).toBe('409 granting_oneself')
  expect(await refused(post(paula, 'revoke', { from: doctor, target: 'exams' }))).toBe('409 consent_not_granted')
  expect(await refused(post(paula, 'decline', { by: doctor, target: 'exams' }))).toBe('409 consent_not_asked')
  const past = await grant(doctor, { until: '2020-01-01T00:00:00Z' })
  expect(past).toMatchObject({ status: 422, body: { code: 'until_not_in_future', errors: [{ field: 'until' }] } })
  await grant(doctor)
  expect(await refused(grant(doctor))).toBe('409 consent_already_granted')
  expect(await refused(post(dora, 'ask', { patientId, target: 'exams' }))).toBe('409 consent_already_granted')
})

test('a kind is one of the roles of who asks, and has to be said when it is not clear', async () => {
  const { post, eventsOf, paula, dora } = await startConsent()
  const ask = (roles: readonly string[], kind?: string) =>
    post({ ...dora, roles }, 'ask', { patientId: paula.sub, target: 'exams', ...(kind && { kind }) })
  expect(await ask(['doctor'], 'nurse')).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  expect(await ask(['doctor', 'nurse'])).toMatchObject({ status: 422, body: { errors: [{ field: 'kind' }] } })
  expect((await ask(['doctor', 'nurse'], 'nurse')).status).toBe(200)
  expect(await eventsOf(paula.sub)).toMatchObject([{ data: { by: { kind: 'nurse', id: dora.sub } } }])
})

test('nobody, partners and people without the role are refused before anything is read', async () => {
  const { post, issuer, server, paula, dora, doctor } = await startConsent()
  const grant = { to: doctor, target: 'exams' }
  const ask = { patientId: paula.sub, target: 'exams' }
  expect(await post(null, 'grant', grant)).toMatchObject({ status: 401, body: { code: 'not_signed_in' } })
  expect(await post(paula, 'ask', ask)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  expect((await post({ ...dora, roles: ['underwriter'] }, 'ask', ask)).status).toBe(403)
  for (const [name, payload] of [
    ['ask', ask],
    ['grant', grant],
    ['contact', { email: 'a@example.org' }],
  ] as const) {
    const token = await issuer.partnerTokenOf('hospital', ['consents:check', 'loans:write'])
    const headers = { authorization: `Bearer ${token}` }
    const answer = await server.inject({ method: 'POST', url: `/api/consents/${name}`, payload, headers })
    expect([name, answer.statusCode]).toEqual([name, 403])
  }
})

test('nobody can name another patient, another actor or another time', async () => {
  const { post, paula, doctor } = await startConsent()
  for (const more of [{ patientId: 'peter' }, { at: '2020-01-01T00:00:00Z' }, { actor: 'peter' }])
    expect((await post(paula, 'grant', { to: doctor, target: 'exams', ...more })).status).toBe(422)
  expect((await post(paula, 'expire', { from: doctor, target: 'exams', until: soon() })).status).toBe(404)
})

test('a repeated request is the same request, also after it was undone', async () => {
  const { post, eventsOf, paula, doctor } = await startConsent()
  const key = { 'idempotency-key': randomUUID() }
  const grant = { to: doctor, target: 'exams', until: soon() }
  const first = await post(paula, 'grant', grant, key)
  await post(paula, 'revoke', { from: doctor, target: 'exams' })
  expect(await post(paula, 'grant', grant, key)).toMatchObject({ status: 200, body: first.body })
  expect((await post(paula, 'grant', { ...grant, target: 'all' }, key)).status).toBe(422)
  expect(await eventsOf(paula.sub)).toHaveLength(2)
})

test('a patient whose stream was deleted is not found, cached or not', async () => {
  const { post, deletePatient, paula, dora, doctor } = await startConsent()
  await post(paula, 'grant', { to: doctor, target: 'exams' })
  await deletePatient(paula.sub)
  const sent = [
    post(paula, 'revoke', { from: doctor, target: 'exams' }),
    post(paula, 'grant', { to: doctor, target: 'all' }),
    post(paula, 'contact', { email: 'paula@example.org' }),
  ]
  for (const answer of await Promise.all(sent)) expect(answer.status).toBe(404)
  // As for every unknown ID.
  expect(await post(dora, 'ask', { patientId: paula.sub, target: 'exams' })).toMatchObject({
    status: 200,
    body: { id: paula.sub, revision: '0' },
  })
})

test('of many at once one grants and the others are told', async () => {
  const { post, eventsOf, paula, doctor } = await startConsent()
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => post(paula, 'grant', { to: doctor, target: 'all' })),
  )
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 11 }, () => 409)])
  expect(await eventsOf(paula.sub)).toHaveLength(1)
})

test('If-Match protects against what one has not seen', async () => {
  const { post, paula, doctor } = await startConsent()
  await post(paula, 'grant', { to: doctor, target: 'exams' })
  const revoke = (etag: string) => post(paula, 'revoke', { from: doctor, target: 'exams' }, { 'if-match': etag })
  expect((await revoke('"7"')).status).toBe(412)
  expect((await revoke('"0"')).status).toBe(200)
})

test('a grant to an ID that is unknown, or in a role that the person does not have, is refused and writes nothing', async () => {
  const { post, eventsOf, directory, run, paula, dora } = await startConsent()
  directory.people.set(`uma-${run}`, ['underwriter'])
  for (const to of [
    { kind: 'doctor', id: `unknown-${run}` },
    { kind: 'doctor', id: `uma-${run}` },
    { kind: 'nurse', id: dora.sub },
    { kind: 'patient', id: dora.sub },
  ])
    expect(await post(paula, 'grant', { to, target: 'exams' })).toMatchObject({
      status: 422,
      body: { code: 'no_such_grantee', errors: [{ field: 'to.id' }] },
    })
  expect(await eventsOf(paula.sub)).toEqual([])
})

test('while the directory does not answer nothing is granted or asked for; the rest goes on', async () => {
  const { post, eventsOf, directory, paula, dora, doctor } = await startConsent()
  const ask = { patientId: paula.sub, target: 'exams' }
  const key = { 'idempotency-key': randomUUID() }
  const granted = await post(paula, 'grant', { to: doctor, target: 'conditions' }, key)
  await post(dora, 'ask', ask)
  const before = await eventsOf(paula.sub)
  const away = { status: 503, headers: { 'retry-after': '1' }, body: { code: 'directory_unavailable' } }
  await directory.whileAway(async () => {
    expect(await post(paula, 'grant', { to: doctor, target: 'exams' })).toMatchObject(away)
    expect(await post(dora, 'ask', { ...ask, target: 'all' })).toMatchObject(away)
    expect(await post(dora, 'ask', { ...ask, patientId: randomUUID() })).toMatchObject(away)
    expect(await eventsOf(paula.sub)).toEqual(before)
    expect(await post(paula, 'grant', { to: doctor, target: 'conditions' }, key)).toMatchObject({ body: granted.body })
    expect(await post(paula, 'revoke', { from: doctor, target: 'conditions' })).toMatchObject({ status: 200 })
    expect(await post(paula, 'decline', { by: doctor, target: 'exams' })).toMatchObject({ status: 200 })
  })
})

test('what was granted to a person who is gone can be revoked, and their request declined', async () => {
  const { post, directory, paula, dora, doctor } = await startConsent()
  await post(paula, 'grant', { to: doctor, target: 'exams' })
  await post(dora, 'ask', { patientId: paula.sub, target: 'conditions' })
  directory.people.delete(dora.sub)
  expect((await post(paula, 'revoke', { from: doctor, target: 'exams' })).status).toBe(200)
  expect((await post(paula, 'decline', { by: doctor, target: 'conditions' })).status).toBe(200)
})

test('a request is answered alike whether or not the patient exists, and only a patient is written to', async () => {
  const { post, eventsOf, run, paula, dora, doctor } = await startConsent()
  // Much has happened to one of the two records.
  for (const target of ['er_visits', 'conditions']) {
    await post(paula, 'grant', { to: doctor, target })
    await post(paula, 'revoke', { from: doctor, target })
  }
  const strangers = [paula.sub, `unknown-${run}`]
  const key = { 'idempotency-key': randomUUID() }
  const requests: readonly [more: object, headers: Readonly<Record<string, string>>][] = [
    [{ purpose: 'The operation' }, key],
    [{ purpose: 'The operation' }, key],
    [{ purpose: 'Another' }, key],
    [{}, {}],
    [{ target: 'all' }, {}],
    [{ target: 'all' }, { 'if-match': '"0"' }],
    [{ target: 'all' }, { 'if-match': '"4"' }],
  ]
  const answersFor = async (patientId: string) => {
    const places: string[] = []
    const answers: object[] = []
    for (const [more, sent] of requests) {
      const answer = await post(dora, 'ask', { patientId, target: 'exams', ...more }, sent)
      const { date: _date, 'content-length': _length, 'headwater-position': position, ...headers } = answer.headers
      if (position !== undefined) expect(answer.body.position).toBe(position)
      if (!places.includes(String(position))) places.push(String(position))
      if (answer.status === 200) expect(answer.body.id).toBe(patientId)
      // Positions say in which order the answers were given, and which of them are of the same event.
      const body = { ...answer.body, id: undefined, position: places.indexOf(String(position)) }
      answers.push({ status: answer.status, headers, body })
    }
    return answers
  }
  const [ofPatient, ofUnknown] = [await answersFor(strangers[0] ?? ''), await answersFor(strangers[1] ?? '')]
  expect(ofUnknown).toEqual(ofPatient)
  expect(ofPatient).toMatchObject([
    { status: 200, headers: { etag: '"0"' }, body: { revision: '0' } },
    { status: 200, headers: { etag: '"0"' }, body: { revision: '0' } },
    { status: 422, body: { code: 'idempotency_key_reused' } },
    { status: 200 },
    { status: 200 },
    { status: 422, body: { errors: [{ field: 'If-Match' }] } },
    { status: 422, body: { errors: [{ field: 'If-Match' }] } },
  ])
  expect(await eventsOf(`unknown-${run}`)).toEqual([])
  expect((await eventsOf(paula.sub)).map(({ type }) => type).slice(-2)).toEqual(['ConsentAsked', 'ConsentAsked'])
})

test('a request for an unknown patient stores neither the ID nor the purpose', async () => {
  const { post, run, dora, store } = await startConsent()
  const from = await store.head()
  const patientId = `ada lovelace ${run}`
  await post(dora, 'ask', { patientId, target: 'exams', purpose: `for ${run}` })
  const left = await store.readAfter(from, 100)
  const asked = left.filter(({ type }) => type === 'ConsentAsked')
  expect(asked).toMatchObject([{ data: { by: { id: dora.sub }, purpose: null } }])
  expect(JSON.stringify(asked.map(({ stream, data }) => [stream, data]))).not.toMatch(/lovelace|for /)
})

test('an ID in capitals or with blanks is the same person, patient or grantee', async () => {
  const { post, eventsOf, directory } = await startConsent()
  const paula = { sub: randomUUID() }
  const dora = { sub: randomUUID(), roles: ['doctor'] }
  for (const { sub } of [paula, dora]) directory.people.set(sub, ['doctor'])
  const [doctor, shouted] = [dora.sub, ` ${dora.sub.toUpperCase()} `].map((id) => ({ kind: 'doctor', id }))
  await post(dora, 'ask', { patientId: ` ${paula.sub.toUpperCase()}`, target: 'all' })
  expect(await post(paula, 'grant', { to: shouted, target: 'exams' })).toMatchObject({ status: 200 })
  expect(await post(paula, 'grant', { to: doctor, target: 'exams' })).toMatchObject({ status: 409 })
  expect(await post(paula, 'decline', { by: shouted, target: 'all' })).toMatchObject({ status: 200 })
  expect(await post(paula, 'revoke', { from: shouted, target: 'exams' })).toMatchObject({ status: 200 })
  expect(await eventsOf(paula.sub)).toMatchObject([
    { type: 'ConsentAsked', data: { by: doctor } },
    { type: 'ConsentGranted', data: { to: doctor } },
    { type: 'ConsentDeclined', data: { by: doctor } },
    { type: 'ConsentRevoked', data: { from: doctor } },
  ])
})
