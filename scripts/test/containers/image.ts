// Follows the Dockerfile in a scratch folder, as far as that goes without a Docker engine, and runs what came out.

import { spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs'
import path from 'node:path'
import { environmentOf, type Instruction, ignore } from './dockerfile.ts'

const isIgnored = (file: string): boolean =>
  ignore.some((line) => file === line || (line.startsWith('**/') && path.basename(file) === line.slice('**/'.length)))

const workdir = '/headwater'
/** Not in memory: what is installed is linked from pnpm's store, which is on the disk. */
const onDisk = '/var/tmp'

const capabilityPrivateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()

/** What the image's last stage holds of ours. It is outside of the checkout, whose node_modules would help out. */
export const buildFolder = (instructions: readonly Instruction[], service: string): string => {
  const stages = new Map<string, string>()
  let folder = ''
  const copy = (from: string, to: string, keep: (file: string) => boolean) => {
    const target = path.join(folder, to)
    mkdirSync(path.dirname(target), { recursive: true })
    cpSync(from, target, { recursive: true, verbatimSymlinks: true, filter: keep })
  }
  for (const { keyword, text } of instructions) {
    const resolved = text.replaceAll(`\${SERVICE}`, service)
    if (keyword === 'FROM') {
      const [base = '', , name = ''] = text.split(' ')
      folder = mkdtempSync(path.join(onDisk, `headwater-${service}-`))
      const begun = stages.get(base)
      if (begun !== undefined) copy(begun, '.', () => true)
      stages.set(name, folder)
    }
    if (keyword === 'COPY') {
      const [, stage, rest = resolved] = /^--from=(\w+) (.*)$/.exec(resolved) ?? []
      const parts = rest.split(' ')
      const to = path.relative(workdir, path.resolve(workdir, parts.pop() ?? ''))
      for (const part of parts)
        if (stage !== undefined) copy(path.join(stages.get(stage) ?? '', path.relative(workdir, part)), to, () => true)
        else copy(part, to === '' ? part : to, (file) => !isIgnored(file))
    }
    // Getting pnpm and filling its store is what this checkout's own setup has done.
    if (keyword === 'RUN' && text.includes('pnpm install')) {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', resolved], { cwd: folder, encoding: 'utf8' })
      if (status !== 0) throw new Error(`${resolved} ended with ${status}: ${stdout}${stderr}`)
    }
  }
  return folder
}

/** The help of the operator's tool, run where the image's link leads. */
export const askTool = (folder: string): string => {
  const tool = path.join(folder, 'packages/operator-tool/src/main.ts')
  const { stdout, stderr, status } = spawnSync(tool, ['--help'], { encoding: 'utf8', cwd: folder })
  if (status !== 0) throw new Error(`The operator's tool ended with ${status}: ${stderr}`)
  return stdout
}

/** Starts the service as its container would with nothing around it, asks whether it lives, and stops it. */
export const runOnce = async (
  instructions: readonly Instruction[],
  folder: string,
  service: string,
): Promise<{ live: number; exitCode: number | null }> => {
  const [command = '', ...args]: string[] = JSON.parse(
    instructions.findLast(({ keyword }) => keyword === 'CMD')?.text ?? '',
  )
  const child = spawn(command, args, {
    cwd: path.join(folder, 'services', service),
    env: {
      PATH: process.env.PATH,
      ...environmentOf(instructions),
      PORT: '0',
      SMTP_PORT: '0',
      HOST: '127.0.0.1',
      EDGE_DIRECTORY: path.join(folder, 'edge'),
      EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false',
      APPLICANT_KEY: 'x'.repeat(32),
      WEBHOOK_KEY: 'x'.repeat(32),
      PEOPLE_KEY: 'x'.repeat(32),
      PEOPLE_PORT: '0',
      DATABASE_URL: 'postgres://127.0.0.1:1/headwater',
      SESSION_KEY: 'x'.repeat(32),
      OIDC_CLIENT_SECRET: 'x',
      CAPABILITY_PRIVATE_KEY: capabilityPrivateKey,
      IDENTITY_ISSUER: 'https://identity.example',
      IDENTITY_KEY: 'x'.repeat(32),
      IDENTITY_COOKIE_KEYS: 'x'.repeat(32),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const address = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
        const listening = /listening at (http:[^"\s]+)/.exec(said)?.[1]
        if (listening) resolve(listening)
      })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${service} ended with ${code}: ${said}`)))
  })
  try {
    const { status: live } = await fetch(`${await address}/health/live`)
    child.kill('SIGTERM')
    return { live, exitCode: await exited }
  } finally {
    child.kill('SIGKILL')
  }
}
