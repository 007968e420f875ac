// Consents as people live them: a doctor asks, the patient answers, sees who sees what, takes it back; with and without scripts.
import { randomUUID } from 'node:crypto'
import { launchBrowser, launchTimeoutMs } from '@headwater/test-kit/browser'
import { startSignedIn } from '@headwater/test-kit/signed-in'
import { introduce, post, type System, startSystem, until } from '@headwater/test-kit/system'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { expectUsable, openPage, ways } from './support.ts'

let browser: Browser
let system: System
beforeAll(async () => {
  ;[browser, system] = await Promise.all([launchBrowser(), startSystem({ without: ['dashboard-projector'] })])
}, launchTimeoutMs)
afterAll(async () => {
  await browser?.close()
  await system?.stop()
})

const signIn = async (name: string, roles: readonly string[], fullName?: string) => {
  const sub = `${name}-${randomUUID().slice(0, 8)}`
  await introduce(system, { [sub]: { roles, ...(fullName !== undefined && { name: fullName }) } })
  const headers = { authorization: `Bearer ${await system.issuer.tokenOf({ sub, roles })}` }
  const signedIn = await startSignedIn(system.gateway.url, headers)
  onTestFinished(signedIn.stop)
  return { sub, headers, url: `${signedIn.url}/consents` }
}

const people = async (names: { readonly paula?: string; readonly dora?: string } = {}) => ({
  paula: await signIn('paula', ['patient'], names.paula),
  dora: await signIn('dora', ['doctor'], names.dora),
})

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test('asks, grants, shows both sides and the history, takes back', async () => {
    const { paula, dora } = await people()
    const doctor = await openPage(browser, `${dora.url}/patients`, way)
    await doctor.getByText('Nobody lets you see anything yet.').waitFor()
    await expectUsable(doctor, way)
    await doctor.getByLabel('Whose record').fill(paula.sub)
    await doctor.getByLabel('Which part').selectOption('conditions')
    await doctor.getByLabel('What for').fill('The operation on Monday')
    await doctor.getByRole('button', { name: 'Ask' }).click()
    await doctor.getByText('Request sent. If this ID belongs to a patient').waitFor()

    const patient = await openPage(browser, paula.url, way)
    await patient.getByRole('heading', { name: `Doctor ${dora.sub} asks to see conditions` }).waitFor()
    await patient.getByText('The operation on Monday').waitFor()
    await expectUsable(patient, way)
    await patient.getByRole('button', { name: 'Grant' }).click()
    await patient.getByText('It is granted.').waitFor()
    await patient.getByText('Nobody asks.').waitFor()
    await patient.getByText('without end', { exact: false }).first().waitFor()
    await expectUsable(patient, way)

    await doctor.goto(`${dora.url}/patients`)
    await doctor.getByRole('heading', { name: `${paula.sub} as doctor` }).waitFor()
    await expectUsable(doctor, way)

    await patient.getByRole('link', { name: `History with Doctor ${dora.sub}` }).click()
    await patient.getByText('They asked to see conditions: “The operation on Monday”').waitFor()
    await patient.getByText('You let them see conditions, without end.').waitFor()
    await expectUsable(patient, way)

    await patient.getByRole('link', { name: 'Back to my record' }).click()
    await patient.getByRole('button', { name: `Take back conditions from Doctor ${dora.sub}` }).click()
    await patient.getByText('It is taken back.').waitFor()
    await patient.getByText('Nobody but you sees anything.').waitFor()
  })

  test('grants without being asked, and says why it does not', async () => {
    const { paula, dora } = await people()
    const page = await openPage(browser, paula.url, way)
    const form = page.locator('section[aria-labelledby=grant]')
    const grant = async (id: string) => {
      await form.getByLabel('Their id').fill(id)
      await form.getByLabel('Which part').selectOption('all')
      await form.getByLabel('How long').selectOption('for an hour')
      await form.getByRole('button', { name: 'Let them see it' }).click()
    }
    await grant(paula.sub)
    await page.getByRole('alert').getByText('You need no consent for your own record.').waitFor()
    expect(await form.getByLabel('Their id').inputValue()).toBe(paula.sub)
    await expectUsable(page, way)
    await grant(randomUUID())
    await page.getByRole('alert').getByText('No doctor has this ID. Check it with them').waitFor()
    await grant(dora.sub)
    await page.getByText('It is granted.').waitFor()
    await page.getByRole('button', { name: `Take back everything from Doctor ${dora.sub}` }).waitFor()
  })

  test('declines', async () => {
    const { paula, dora } = await people()
    await post(`${system.gateway.url}/api/consents/ask`, { patientId: paula.sub, target: 'all' }, dora.headers)
    const page = await openPage(browser, paula.url, way)
    await until('the request is there', async () => {
      await page.reload()
      return page.getByRole('button', { name: 'Decline' }).isVisible()
    })
    await page.getByRole('button', { name: 'Decline' }).click()
    await page.getByText('It is declined.').waitFor()
    await page.getByText('Nobody asks.').waitFor()
  })
})

test('shows what others do without a reload, and a mail lands in the inbox', async () => {
  const { paula, dora } = await people()
  const command = (as: typeof paula, name: string, body: object) =>
    post(`${system.gateway.url}/api/consents/${name}`, body, as.headers)
  await post(`${system.consent.url}/api/consents/contact`, { email: `${paula.sub}@example.org` }, paula.headers)
  const patient = await openPage(browser, paula.url)
  const doctor = await openPage(browser, `${dora.url}/patients`)
  await patient.locator('[data-state=live]').waitFor()
  await doctor.locator('[data-state=live]').waitFor()
  await command(dora, 'ask', { patientId: paula.sub, target: 'exams' })
  await patient.getByRole('heading', { name: `Doctor ${dora.sub} asks to see exams` }).waitFor()
  await until('the mail is there', async () =>
    JSON.stringify(await (await fetch(`${system.sandbox.url}/v1/mails`)).json()).includes(paula.sub),
  )
  const grant = async (seconds: number) => {
    const until = new Date(Date.now() + seconds * 1_000).toISOString()
    const { status } = await command(paula, 'grant', { to: { kind: 'doctor', id: dora.sub }, target: 'exams', until })
    expect(status).toBe(200)
  }
  await grant(3_600)
  await doctor.getByRole('heading', { name: `${paula.sub} as doctor` }).waitFor()
  await patient.getByText('Nobody asks.').waitFor()
  // The end is set anew once all have seen it: it comes while they look.
  await grant(5)
  await doctor.getByText('Nobody lets you see anything yet.').waitFor()
  await patient.getByText('Nobody but you sees anything.').waitFor()
})

test('calls people by their names where these are known, also those who come while a page is open', async () => {
  const { paula, dora } = await people({ paula: 'Paula Patient', dora: 'Dora Doctor' })
  const command = (as: typeof paula, name: string, body: object) =>
    post(`${system.gateway.url}/api/consents/${name}`, body, as.headers)
  const patient = await openPage(browser, paula.url)
  const doctor = await openPage(browser, `${dora.url}/patients`)
  await patient.locator('[data-state=live]').waitFor()
  await doctor.locator('[data-state=live]').waitFor()
  await patient.getByLabel('Their id').fill('half typed')
  await command(dora, 'ask', { patientId: paula.sub, target: 'exams' })
  await patient.getByRole('heading', { name: 'Dora Doctor (doctor) asks to see exams' }).waitFor()
  expect(await patient.getByLabel('Their id').inputValue()).toBe('half typed')
  await command(paula, 'grant', { to: { kind: 'doctor', id: dora.sub }, target: 'exams' })
  await doctor.getByRole('heading', { name: 'Paula Patient as doctor' }).waitFor()
  await patient.getByRole('link', { name: 'History with Dora Doctor (doctor)' }).click()
  await patient.getByRole('heading', { name: 'History with Dora Doctor (doctor)' }).waitFor()
})

test('is granted once, until the chosen end, also when the form is sent twice at once', async () => {
  const { paula, dora } = await people()
  const page = await fetch(paula.url, { headers: paula.headers })
  const [, key = ''] = /name="key" value="([\w-]+)"/.exec(await page.text()) ?? []
  const answers = { key, do: 'grant', kind: 'doctor', id: dora.sub, target: 'exams', seconds: '60' }
  const headers = { origin: new URL(paula.url).origin }
  const submit = () =>
    fetch(paula.url, { method: 'POST', body: new URLSearchParams(answers), headers, redirect: 'manual' })
  const sent = Date.now()
  let after = ''
  for (const answer of await Promise.all([submit(), submit()])) {
    expect(answer.status).toBe(303)
    const { searchParams } = new URL(answer.headers.get('location') ?? '', paula.url)
    expect(searchParams.get('done')).toBe('grant')
    // Who came second is told of no place.
    after = searchParams.get('after') ?? after
  }
  expect(after).not.toBe('')
  const query = new URLSearchParams({ after })
  const events = await fetch(`${system.gateway.url}/api/consents?${query}`, { headers: paula.headers })
  const { consents } = (await events.json()) as {
    consents: { permissions: { grantedAt: string; until: string }[] }[]
  }
  const [permission, ...others] = consents.flatMap(({ permissions }) => permissions)
  expect(others).toEqual([])
  const until = Date.parse(permission?.until ?? '')
  expect(until).toBeGreaterThanOrEqual(sent + 60_000)
  expect(until).toBeLessThanOrEqual(Date.parse(permission?.grantedAt ?? '') + 60_000)
})
