// The README's tour works, line by line, and says what it promises.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type System, startSystem } from './system.ts'

const readme = path.resolve(import.meta.dirname, '../../README.md')

let system: System
beforeAll(async () => {
  system = await startSystem()
}, 60_000)
afterAll(() => system?.stop())

const tour = () => {
  const [, script] = /## A tour\n[\s\S]*?```sh\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8')) ?? []
  if (script === undefined) throw new Error('The README has no tour.')
  return script.replaceAll('localhost:8080', system.gateway.url).replaceAll('localhost:8090', system.sandbox.url)
}

test('the tour', async () => {
  const env = {
    ...process.env,
    APPLICANT: await system.issuer.tokenOf({ sub: 'zoe' }),
    UNDERWRITER: system.asUnderwriter.authorization.slice('Bearer '.length),
  }
  const { stdout, status } = spawnSync('bash', ['-e', '-c', tour()], { encoding: 'utf8', env })
  expect(status).toBe(0)
  const told = [
    /HTTP\/1.1 201 Created/,
    /"revision":"2"/,
    /"status":"awaiting review"/,
    /"revision":"3"/,
    /"code":"loan_not_awaiting_review"/,
    /"code":"validation"/,
    /"field":"score"/,
    /HTTP\/1.1 201 Created/,
    /"revision":"0"/,
    /"status":"approved"/,
  ]
  let rest = stdout
  for (const expected of told) {
    const at = rest.search(expected)
    expect(at, `${expected}, in this order, in:\n${stdout}`).toBeGreaterThanOrEqual(0)
    rest = rest.slice(at)
  }
  const [first, repeated] = [...stdout.matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id)
  expect(repeated).toBe(first)
})
