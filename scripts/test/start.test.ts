// `npm start` as a whole: a loan requested at the front door appears on the open page by itself, also after crashes.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { demoTokens } from '../demo-tokens.ts'
import { launchBrowser, launchTimeoutMs } from './browser.ts'
import { freePorts, listenAnywhere, portOf, run, stop } from './npm-start.ts'
import { startSignedIn } from './signed-in.ts'

let browser: Awaited<ReturnType<typeof launchBrowser>>
beforeAll(async () => {
  browser = await launchBrowser()
}, launchTimeoutMs)
afterAll(() => browser.close())

const startMsMax = 60_000

/** The process that runs a part. */
const pidOf = (child: ChildProcess, folder: string): number => {
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').map(Number)
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`/${folder}/src/main.ts`))
  if (found === undefined) throw new Error(`${folder} does not run`)
  return found
}

test(
  'runs everything, restarts what crashes, and stops all of it',
  async () => {
    const data = mkdtempSync(path.join(tmpdir(), 'headwater-'))
    onTestFinished(() => rmSync(data, { recursive: true, force: true }))
    const ports = await freePorts()
    const { child, untilSaid, output } = run({ ...ports, DATA_DIRECTORY: data })
    onTestFinished(() => stop(child))
    await untilSaid('Headwater runs.')

    const home = `http://localhost:${ports.GATEWAY_PORT}`
    const token = await demoTokens(`http://localhost:${ports.IDENTITY_PORT}`, home)('alice')
    const headers = { authorization: `Bearer ${token}` }
    const signedIn = await startSignedIn(home, headers)
    onTestFinished(signedIn.stop)
    /** One loan of an amount, however often it is asked for: what was not answered may have been done. */
    const requestLoan = (amount: number) =>
      fetch(`${home}/api/loans`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `${amount}`, ...headers },
        body: JSON.stringify({ name: 'Ada Lovelace', address: 'London', nationalId: '999999AA', amount }),
      })
    const page = await browser.newPage()
    onTestFinished(() => page.close())
    await page.goto(signedIn.url)
    await page.getByText('Live', { exact: true }).waitFor()
    const untilRow = (amount: string) =>
      page.locator('tbody tr', { hasText: amount }).filter({ hasText: 'Approved' }).waitFor({ timeout: startMsMax })

    const created = await requestLoan(1_000)
    expect(created.status).toBe(201)
    await untilRow('€1,000')
    const after = created.headers.get('headwater-position')
    const read = await fetch(`${home}${created.headers.get('location')}?after=${after}`, { headers })
    expect(await read.json()).toMatchObject({ status: 'approved', amount: 1_000 })

    for (const [round, folder] of ['edge-projector', 'embedded-eventstore', 'gateway', 'loan'].entries()) {
      process.kill(pidOf(child, folder), 'SIGKILL')
      await untilSaid('ended by itself', round + 1)
      await expect
        .poll(async () => (await requestLoan(2_000 + round).catch(() => undefined))?.status, { timeout: startMsMax })
        .toBe(201)
      await untilRow(`€2,00${round}`)
    }

    await stop(child)
    expect(child.exitCode).toBe(0)
    expect(output()).toContain('stopping')
    for (const port of Object.values(ports)) await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow()
  },
  4 * startMsMax,
)

test('says which port is taken and which setting changes it', async () => {
  const taken = await listenAnywhere()
  onTestFinished(() => void taken.close())
  const { child, output } = run({ ...(await freePorts()), LOAN_PORT: String(portOf(taken)) })
  await once(child, 'close')
  expect(child.exitCode).toBe(1)
  expect(output()).toContain(`Port ${portOf(taken)}, meant for loan, is taken`)
  expect(output()).toContain('LOAN_PORT=<port>')
})
