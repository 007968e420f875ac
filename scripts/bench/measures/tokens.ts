// What it costs a command that its sender's token is checked: the same service, asked with a token and without, in turns.
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { startQuickBureau } from '../bureau.ts'
import { startBenchIssuer } from '../issuer.ts'
import { nationalIdOf, percentile } from '../load.ts'
import type { Goal, Measure } from '../measure.ts'

const commandsARound = 400
const quickCommandsARound = 40
const goal: Goal = { of: 'ratio', below: 1.1 }

/** Of each command: who sends it, as the header says. */
const senders = ['nobody', 'known token', 'new token'] as const
type Sender = (typeof senders)[number]

export const tokens: Measure = {
  name: 'tokens',
  title: 'What checking tokens costs',
  how: `\`POST /api/loans\` at the loan service, one after the other, each for another person: without a token, with one that
the service has seen within the minute, and with one that it has never seen, whose signature (ES256) it therefore checks.
The three take turns command by command, ${commandsARound} of each a round. Loan service, credit bureau (the sandbox's, told
to answer at once) and embedded event store are processes of their own.`,
  run: async ({ processes, rounds, quick, directory, say }) => {
    const eventStore = await processes.eventStore(path.join(directory, 'store'))
    const bureauUrl = await startQuickBureau(processes)
    const issuer = await startBenchIssuer()
    const loan = await processes.service('loan', {
      EVENTSTORE_URL: eventStore.url,
      CREDIT_BUREAU_URL: bureauUrl,
      APPLICANT_KEY: randomUUID(),
      ...issuer.env,
    })
    const known = await issuer.tokenOf({ sub: 'bench' })
    const tokenOf: Record<Sender, () => Promise<string | undefined>> = {
      nobody: async () => undefined,
      'known token': async () => known,
      'new token': () => issuer.tokenOf({ sub: 'bench' }),
    }
    let people = 0
    const send = async (sender: Sender): Promise<number> => {
      const token = await tokenOf[sender]()
      const body = JSON.stringify({
        name: 'Ada Lovelace',
        address: '12 St James Square, London',
        nationalId: nationalIdOf(people++),
        amount: 10_000,
      })
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      }
      const startedAt = performance.now()
      const answer = await fetch(`${loan.url}/api/loans`, { method: 'POST', headers, body })
      await answer.arrayBuffer()
      const ms = performance.now() - startedAt
      if (answer.status !== 201) throw new Error(`The loan service answered ${answer.status} to ${sender}.`)
      return ms
    }
    const round = async (commands: number) => {
      const taken: Record<Sender, number[]> = { nobody: [], 'known token': [], 'new token': [] }
      for (let n = 0; n < commands; n++)
        // Each comes first as often: who follows whom may matter.
        for (const place of senders.keys()) {
          const sender = senders[(place + n) % senders.length] ?? 'nobody'
          taken[sender].push(await send(sender))
        }
      const p50 = (sender: Sender) =>
        percentile(
          taken[sender].toSorted((a, b) => a - b),
          0.5,
        )
      return { nobody: p50('nobody'), known: p50('known token'), new: p50('new token') }
    }
    say('warming up')
    await round(quickCommandsARound)
    const figures: Awaited<ReturnType<typeof round>>[] = []
    for (let n = 0; n < rounds; n++) {
      say(`round ${n + 1}`)
      figures.push(await round(quick ? quickCommandsARound : commandsARound))
    }
    await issuer.stop()
    const beside = { name: 'without a token', figures: figures.map(({ nobody }) => nobody) }
    return [
      { what: 'a command with a token, p50', unit: 'ms', ours: figures.map(({ known }) => known), beside, goal },
      {
        what: 'a command with a token never seen before, p50',
        unit: 'ms',
        ours: figures.map((round) => round.new),
        beside,
        goal,
      },
    ]
  },
}
