// The published package: packed, installed from its tarball into an empty project, used as in the README.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '@headwater/test-kit/free-port'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'

const installMsMax = 120_000
const runMsMax = 60_000
const folder = path.resolve(import.meta.dirname, '..')
const readme = readFileSync(path.join(folder, 'README.md'), 'utf8')
const root = JSON.parse(readFileSync(path.join(folder, '../../package.json'), 'utf8'))
const { devDependencies } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))

let project = ''

const run = (command: string, options: { cwd?: string; timeout?: number; env?: NodeJS.ProcessEnv } = {}): string => {
  const { cwd = project, timeout = runMsMax, env = process.env } = options
  const ended = spawnSync('bash', ['-e', '-c', command], { cwd, timeout, env, encoding: 'utf8' })
  expect(ended.status, `${command}\n${ended.stdout}\n${ended.stderr}`).toBe(0)
  return ended.stdout
}

/** The code of an example in the README. */
const example = (heading: string, language: string): string => {
  const [, section = ''] = readme.split(`### ${heading}\n`)
  const code = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(section)?.[1]
  if (code === undefined) throw new Error(`The README has no ${language} under "${heading}".`)
  return code
}

beforeAll(() => {
  project = mkdtempSync(path.join(tmpdir(), 'packed-'))
  run(`pnpm pack --pack-destination ${project}`, { cwd: folder })
  const tarball = readdirSync(project).find((file) => file.endsWith('.tgz'))
  const manifest = {
    type: 'module',
    dependencies: { '@headwater/embedded-eventstore': `file:${tarball}` },
    devDependencies: {
      '@eventstore/db-client': devDependencies['@eventstore/db-client'],
      vitest: root.devDependencies.vitest,
    },
  }
  writeFileSync(path.join(project, 'package.json'), JSON.stringify(manifest))
  writeFileSync(path.join(project, 'pnpm-workspace.yaml'), 'allowBuilds:\n  protobufjs: false\n')
  run('pnpm install --prefer-offline', { timeout: installMsMax })
}, installMsMax + runMsMax)
afterAll(() => rmSync(project, { recursive: true, force: true }))

test('the README example for tests works', () => {
  writeFileSync(path.join(project, 'eventstore.test.ts'), example('In tests', 'ts'))
  expect(run('pnpm exec vitest run', { env: { ...process.env, NO_COLOR: '1' } })).toMatch(/Tests +1 passed/)
})

test('the README example for development works', async () => {
  const port = await freePort()
  const command = example('In development, without Docker', 'sh')
    .replace('2113', String(port))
    .replace('npx', 'exec pnpm exec')
  const node = spawn('bash', ['-c', command], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void node.kill('SIGKILL'))
  const [line] = await once(node.stdout, 'data')
  expect(JSON.parse(String(line))).toMatchObject({ listening: true, port })
  node.kill('SIGTERM')
  await once(node, 'exit')
})

test('the README example for CI works', async () => {
  const port = await freePort()
  const step = example('In CI', 'yaml').replaceAll('2113', String(port)).replace('npx', 'pnpm exec')
  const script = /run: \|\n(.*?)\n {2}env:/s.exec(step)?.[1] ?? ''
  const url = /EVENTSTORE_URL: (.*)/.exec(step)?.[1] ?? ''
  writeFileSync(
    path.join(project, 'uses-it.mjs'),
    `import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
     const client = EventStoreDBClient.connectionString(process.env.EVENTSTORE_URL)
     await client.appendToStream('a-1', jsonEvent({ type: 'A', data: {} }))
     await client.dispose()
     console.log('used')`,
  )
  // Ends the processes of the step, as a CI machine does.
  const ends = `trap 'kill $(jobs -p)' EXIT\n${script.replace('npm test', 'node uses-it.mjs')}`
  expect(run(ends, { env: { ...process.env, RUNNER_TEMP: project, EVENTSTORE_URL: url } })).toContain('used')
})
