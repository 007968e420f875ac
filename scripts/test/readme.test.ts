// The README's tour works, line by line, and says what it promises.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { introduce, type System, startSystem } from '@headwater/test-kit/system'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** Of a script of the tour. */
const runMsMax = 50_000
const readme = path.resolve(import.meta.dirname, '../../README.md')

let system: System
beforeAll(async () => {
  system = await startSystem()
}, 60_000)
afterAll(() => system?.stop())

/** The scripts of the tour, in order, with the test's own addresses. */
const scripts = () => {
  const [, tour = ''] = /## A tour\n([\s\S]*?)\n## /.exec(readFileSync(readme, 'utf8')) ?? []
  return [...tour.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, script = '']) =>
    script.replaceAll('localhost:8080', system.gateway.url).replaceAll('localhost:8090', system.sandbox.url),
  )
}

/** Runs a script with tokens of the test's own. @returns what it wrote, in which `told` stands in this order */
const run = (script: string | undefined, env: Readonly<Record<string, string>>, told: readonly RegExp[]): string => {
  if (script === undefined) throw new Error('The README has no such script.')
  const options = { encoding: 'utf8', env: { ...process.env, ...env }, timeout: runMsMax } as const
  const { stdout, status } = spawnSync('bash', ['-e', '-c', script], options)
  expect(status).toBe(0)
  let rest = stdout
  for (const expected of told) {
    const at = rest.search(expected)
    expect(at, `${expected}, in this order, in:\n${stdout}`).toBeGreaterThanOrEqual(0)
    rest = rest.slice(at + 1)
  }
  return stdout
}

test('the tour of loans', async () => {
  const [loans] = scripts()
  const env = {
    APPLICANT: await system.issuer.tokenOf({ sub: 'zoe' }),
    UNDERWRITER: system.asUnderwriter.authorization.slice('Bearer '.length),
  }
  const output = run(loans, env, [
    /HTTP\/1.1 201 Created/,
    /"revision":"2"/,
    /"status":"awaiting review"/,
    /"revision":"3"/,
    /"status":"awaiting review"/,
    /"field":"status","before":"awaiting review","after":"approved"/,
    /"code":"loan_not_awaiting_review"/,
    /"code":"validation"/,
    /"field":"score"/,
    /HTTP\/1.1 201 Created/,
    /"revision":"0"/,
    /"status":"approved"/,
  ])
  const [first, repeated] = [...output.matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id)
  expect(repeated).toBe(first)
})

test('the tour of consents', async () => {
  const [, consents] = scripts()
  await introduce(system, { dora: { roles: ['doctor'] }, paula: { roles: ['patient'] } })
  const env = {
    DOCTOR: await system.issuer.tokenOf({ sub: 'dora', roles: ['doctor'] }),
    PATIENT: await system.issuer.tokenOf({ sub: 'paula', roles: ['patient'] }),
    HOSPITAL: await system.issuer.partnerTokenOf('hospital', ['consents:check']),
  }
  run(consents, env, [
    /"hasConsent":false/,
    /"revision":"0"/,
    /"hasConsent":true/,
    /"revision":"1"/,
    /"hasConsent":false/,
  ])
})

test('the pictures of the tour are there', () => {
  const pictures = [...readFileSync(readme, 'utf8').matchAll(/\((docs\/screenshots\/[^)]+\.png)\)/g)].map(
    ([, file]) => file,
  )
  expect(pictures.length).toBeGreaterThan(3)
  for (const file of pictures) expect(existsSync(path.resolve(readme, '..', file ?? '')), file).toBe(true)
})
