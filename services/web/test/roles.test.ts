// Who sees which pages: the way to one's own is shown, pages of others are refused in words, and nobody is lost who is not known.

import { post } from '@headwater/test-kit/system'
import { describe, expect, test } from 'vitest'
import {
  answer,
  answersOf,
  expectUsable,
  sendApplication,
  somebody,
  testWorld,
  untilLive,
  untilRead,
  untilReceived,
  type Who,
  ways,
} from './support.ts'

const world = testWorld({ without: ['consent'] })

const pages = { underwriters: '/underwriting', auditors: '/audit', operators: '/operations' } as const
const people: readonly { readonly who: Who; readonly own: readonly string[]; readonly leadsTo: readonly string[] }[] = [
  { who: 'underwriter', own: ['underwriters'], leadsTo: ['Apply', 'Consents', 'Underwriting', 'API'] },
  { who: 'auditor', own: ['auditors'], leadsTo: ['Apply', 'Your applications', 'Consents', 'Audit', 'API'] },
  { who: 'operator', own: ['operators'], leadsTo: ['Apply', 'Consents', 'Operations', 'API'] },
  { who: 'applicant', own: [], leadsTo: ['Apply', 'Your applications', 'Consents', 'API'] },
]

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test.each(people)('$who is shown the way to their own pages and refused others', async ({ who, own, leadsTo }) => {
    const home = await world.open('/', way, who)
    const links = home.getByRole('navigation', { name: 'Main' }).getByRole('link')
    expect(await links.allTextContents()).toEqual(leadsTo)
    await expectUsable(home, way)
    for (const [others, path] of Object.entries(pages)) {
      const answer = await fetch(world.urlOf(path, who))
      const [{ status }, text] = [answer, (await answer.text()).replaceAll('<!-- -->', '')]
      expect(status, `${who} at ${path}`).toBe(own.includes(others) ? 200 : 403)
      if (status === 200) continue
      expect(text).toContain(`This page is for ${others}`)
      expect(text).toContain('and that account may not see it')
      // It looks alike for everybody: once is enough.
      if (who !== 'applicant') continue
      const page = await world.open(path, way, who)
      await page.getByRole('heading', { name: `This page is for ${others}` }).waitFor()
      await expectUsable(page, way)
    }
  })

  test('an applicant finds the own applications on the first page, and only those', async () => {
    await post(world.urlOf('/api/loans'), { ...application(), amount: 4_321 })
    const page = await world.open('/apply', way)
    await answer(page, answersOf(somebody(9)))
    await sendApplication(page)
    const reference = await untilReceived(page)
    await page.getByRole('link', { name: 'Headwater' }).click()
    await page.getByRole('heading', { name: 'Your applications' }).waitFor()
    if (way.scripts) await untilLive(page)
    expect(await page.locator('tbody tr').count()).toBe(1)
    await expectUsable(page, way)
    await page.getByRole('link', { name: reference ?? '' }).click()
    await page.getByRole('heading', { name: '€12,500' }).waitFor()
  })

  test('who is not known is shown what this is, and no list', async () => {
    const page = await world.open('/', way)
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
    expect(await page.getByRole('table').count()).toBe(0)
    await expectUsable(page, way)
    const { body } = await post(world.urlOf('/api/loans'), application())
    const strange = await world.open(`/applications/${body.id}`, way)
    await strange.getByRole('heading', { name: 'This browser does not know whose application this is' }).waitFor()
    await expectUsable(strange, way)
  })

  test('a link opens an application on another device, once', async () => {
    const page = await world.open('/apply', way)
    await answer(page, answersOf(somebody(5)))
    await sendApplication(page)
    await untilReceived(page)
    await page.getByRole('link', { name: 'Make a link to open it elsewhere' }).click()
    await page.getByRole('heading', { name: 'A link to come back' }).waitFor()
    await expectUsable(page, way)
    await page.getByRole('button', { name: 'Make a link' }).click()
    const link = await page.getByLabel('Your link').inputValue()
    expect(page.url()).not.toContain(new URL(link).pathname)
    await expectUsable(page, way)

    const phone = await world.open(new URL(link).pathname, { ...way, standIn: true })
    await phone.getByRole('button', { name: 'Open my application' }).click()
    await phone.getByRole('heading', { name: 'An underwriter reads your application' }).waitFor()
    await phone.getByRole('link', { name: 'Make a link to open it elsewhere' }).waitFor()
    const late = await world.open(new URL(link).pathname, { ...way, standIn: true })
    await late.getByRole('button', { name: 'Open my application' }).click()
    await late.getByRole('heading', { name: 'This link has been used' }).waitFor()
  })
})

const application = () => ({ name: 'Ada Lovelace', address: 'London', nationalId: somebody(5), amount: 5_000 })

test('every page says that the session has ended, and keeps what was typed', async () => {
  const { body } = await post(world.urlOf('/api/loans'), application())
  await untilRead(world.urlOf(`/api/underwriting/queue?after=${body.position}`, 'underwriter'))
  for (const scripts of [true, false]) {
    const page = await world.open(`/underwriting/loans/${body.id}`, { scripts }, 'underwriter')
    await page.getByLabel('Reason').fill('Steady income')
    world.signOut('underwriter')
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
    await page.getByText('Steady income').waitFor()
    await expectUsable(page, { scripts })
    world.signIn('underwriter')
    if (scripts) continue
    await page.getByRole('button', { name: 'Send it again' }).click()
    await page.getByText('“Steady income”').waitFor()
  }
})
