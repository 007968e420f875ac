// The demo's people sign in at the real issuer, and the services believe the tokens that they are given.
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { authenticatorOf } from '@headwater/test-kit/issuer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorld } from '../../services/identity/test/support.ts'
import { demoTokens } from '../local/demo-tokens.ts'

const publicUrl = 'http://localhost:8080'

let world: Awaited<ReturnType<typeof startWorld>>
beforeAll(async () => {
  world = await startWorld()
  await world.start({ IDENTITY_DEMO: '1', PUBLIC_URL: publicUrl })
}, 60_000)
afterAll(() => world?.stop())

const actorOf = (token: string) => authenticatorOf({ OIDC_ISSUER: world.issuer }).actorOf(token)

test.each([
  ['uma', ['underwriter']],
  ['otto', ['operator']],
  ['ada', ['auditor']],
  ['alice', []],
])('%s', async (userName, roles) => {
  const tokenOf = demoTokens(world.issuer, publicUrl)
  const token = await tokenOf(userName)
  expect(await actorOf(token)).toMatchObject({ kind: 'person', roles })
  expect(await tokenOf(userName)).toBe(token)
})

test('nobody else', async () => {
  await expect(demoTokens(world.issuer, publicUrl)('mallory')).rejects.toThrow('mallory is not signed in')
})

test('`npm run token` prints one, or says what is wrong', async () => {
  const run = (issuer: string, ...args: string[]) =>
    promisify(execFile)(process.execPath, [path.resolve('scripts/token.ts'), ...args], {
      env: { ...process.env, OIDC_ISSUER: issuer, PUBLIC_URL: publicUrl },
    })
  expect(await actorOf((await run(world.issuer, 'uma')).stdout.trim())).toMatchObject({ roles: ['underwriter'] })
  await expect(run(world.issuer)).rejects.toMatchObject({ stderr: expect.stringContaining('Whose token?') })
  await expect(run('http://127.0.0.1:1', 'uma')).rejects.toMatchObject({ stderr: expect.stringContaining('npm start') })
})
