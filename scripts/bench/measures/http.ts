// Loan requests over HTTP: through gateway and loan service, with a credit bureau that answers at once.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Readiness } from '@headwater/http-kit/server/health'
import { startQuickBureau } from '../bureau.ts'
import { startBenchIssuer } from '../issuer.ts'
import type { Measure } from '../measure.ts'

const connections = 50
const roundS = 5
/** Until the processes run compiled code: with 1 s the first round measured the compiler. */
const warmUpS = 5
const outputBytesMax = 16 * 1024 * 1024

const applicants = path.join(import.meta.dirname, '../workers/applicants.ts')

type Load = {
  readonly requests: { readonly average: number }
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly non2xx: number
  readonly errors: number
}

const shoot = async (url: string, token: string, seconds: number, round: number): Promise<Load> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      applicants,
      ...['--url', url, '--token', token, '--connections', String(connections)],
      ...['--seconds', String(seconds), '--round', String(round)],
    ],
    { maxBuffer: outputBytesMax },
  )
  return JSON.parse(stdout)
}

/** @throws when the gateway is measured while it does without Postgres */
const assertCountsInPostgres = async (gatewayUrl: string): Promise<void> => {
  const answer = await fetch(`${gatewayUrl}/health/ready`)
  const { parts } = (await answer.json()) as Readiness
  for (const name of ['tables', 'limits'])
    if (parts[name]?.trouble !== undefined) throw new Error(`the gateway's ${name}: ${parts[name].trouble}`)
}

export const http: Measure = {
  name: 'http',
  title: 'Commands over HTTP',
  how: `\`POST /api/loans\` by autocannon with ${connections} connections, for ${roundS} s a round, each for another person, as a
partner whose token gateway and loan service both check: gateway, loan service, credit bureau (the sandbox's, told to answer at once) and embedded event store are processes of their own, and
all five share the machine.`,
  run: async ({ processes, rounds, quick, directory, newDatabase, peersMissing, say }) => {
    const missing = peersMissing()
    if (missing !== undefined) throw new Error(missing)
    const eventStore = await processes.eventStore(path.join(directory, 'store'))
    const bureauUrl = await startQuickBureau(processes)
    const issuer = await startBenchIssuer()
    const token = await issuer.partnerTokenOf('bench', ['loans:write'])
    const env = {
      EVENTSTORE_URL: eventStore.url,
      EDGE_DIRECTORY: path.join(directory, 'edge'),
      CREDIT_BUREAU_URL: bureauUrl,
      APPLICANT_KEY: randomUUID(),
      ...issuer.env,
    }
    await processes.service('edge-projector', env)
    const loan = await processes.service('loan', env)
    const gateway = await processes.service('gateway', {
      ...env,
      ...issuer.gatewayEnv(await newDatabase()),
      LOAN_URL: loan.url,
    })
    say('warming up')
    await shoot(gateway.url, token, warmUpS, rounds)
    await assertCountsInPostgres(gateway.url)
    const loads: Load[] = []
    for (let round = 0; round < rounds; round++) loads.push(await shoot(gateway.url, token, quick ? 1 : roundS, round))
    await issuer.stop()
    const refused = loads.reduce((sum, { non2xx, errors }) => sum + non2xx + errors, 0)
    return [
      {
        what: 'POST /api/loans',
        unit: 'requests/s',
        ours: loads.map(({ requests }) => requests.average),
        note: refused > 0 ? `${refused} requests were not answered 2xx.` : undefined,
      },
      { what: 'POST /api/loans, p50', unit: 'ms', ours: loads.map(({ latency }) => latency.p50) },
      { what: 'POST /api/loans, p99', unit: 'ms', ours: loads.map(({ latency }) => latency.p99) },
    ]
  },
}
