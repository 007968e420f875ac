// `npm start` on free ports, as a process of a test's own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import path from 'node:path'
import { freePort } from '@headwater/test-kit/free-port'

export const listenAnywhere = async (): Promise<Server> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
export const portOf = (server: Server) => (server.address() as AddressInfo).port
const variables = [
  'EVENTSTORE_PORT',
  'WEB_PORT',
  'POSTGRES_PORT',
  'GATEWAY_PORT',
  'LOAN_PORT',
  'CONSENT_PORT',
  'EDGE_PROJECTOR_PORT',
  'DASHBOARD_PROJECTOR_PORT',
  'JOBS_PORT',
  'IDENTITY_PORT',
  'PEOPLE_PORT',
  'SANDBOX_PORT',
  'SMTP_PORT',
] as const

export const freePorts = async (): Promise<Record<(typeof variables)[number], string>> => {
  const ports: [string, string][] = []
  for (const name of variables) ports.push([name, String(await freePort())])
  return Object.fromEntries(ports) as Record<(typeof variables)[number], string>
}

export const run = (env: Record<string, string>) => {
  const { EVENTSTORE_URL: _, CREDIT_BUREAU_URL: __, DATABASE_URL: ___, OIDC_ISSUER: ____, ...inherited } = process.env
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '..', 'start.ts')], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
      for (const check of waiting) check()
    })
  /** Resolves once the output so far holds `text` `count` times; the test's deadline bounds it. */
  const untilSaid = (text: string, count = 1) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (output.split(text).length <= count) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  return { child, untilSaid, output: () => output }
}

export const stop = async (child: ChildProcess) => {
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'close') // by then all that it wrote has been read
}
