// `npm run seed`: sends believable loans through the API, an underwriter's decisions too. `-- --pace 2` sends two a second.
// The same `--seed` is the same loans: sent again they stay what they are.
// Demo people apply and decide, or those whose access tokens APPLICANT_TOKEN and UNDERWRITER_TOKEN hold.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { demoTokens } from './local/demo-tokens.ts'
import { loansMax, type SeedLoan, seedLoans } from './seed/loans.ts'

const atOnce = 8
const triesMax = 5
const answerTimeoutMs = 20_000

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://localhost:8080' },
    count: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    pace: { type: 'string' },
  },
})

const fail = (text: string): never => {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
const numberOf = (name: 'count' | 'seed' | 'pace', most: number): number => {
  const number = Number(values[name])
  return number > 0 && number <= most ? number : fail(`--${name} is a number above 0, at most ${most}.`)
}
const count = Math.floor(numberOf('count', loansMax))
const seed = Math.floor(numberOf('seed', 2 ** 31))
const pace = values.pace === undefined ? undefined : numberOf('pace', 1_000)

type TokenOf = () => Promise<string>
const { APPLICANT_TOKEN, UNDERWRITER_TOKEN, OIDC_ISSUER = 'http://localhost:8086' } = process.env
const demo = demoTokens(OIDC_ISSUER, values.url)
const applicant: TokenOf = async () => APPLICANT_TOKEN ?? demo('alice')
const underwriter: TokenOf = async () => UNDERWRITER_TOKEN ?? demo('uma')

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

/** Repeats what is refused for now: every request has a key, or only reads. */
const ask = async (path: string, as: TokenOf, init: RequestInit = {}): Promise<Answer> => {
  for (let tries = 1; ; tries++) {
    const answer = await fetch(new URL(path, values.url), {
      ...init,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await as()}`, ...init.headers },
      signal: AbortSignal.timeout(answerTimeoutMs),
    })
    const isRefusedForNow = answer.status === 503 || answer.status === 429
    if (!isRefusedForNow || tries === triesMax) {
      const body: unknown = await answer.json()
      return { status: answer.status, body: body as Answer['body'] }
    }
    await sleep(1_000 * Number(answer.headers.get('retry-after') ?? 1))
  }
}
const post = (path: string, as: TokenOf, key: string, body: object): Promise<Answer> =>
  ask(path, as, {
    method: 'POST',
    headers: { 'idempotency-key': key },
    body: JSON.stringify(body),
  })

/** Sends a loan and what follows. @returns how it ended */
const send = async ({ key, application, review, reviewLag }: SeedLoan): Promise<string> => {
  const requested = await post('/api/loans', applicant, key, application)
  if (requested.status !== 201) return `refused (${requested.body.code})`
  const { id, position } = requested.body
  const { status } = (await ask(`/api/loans/${id}?after=${position}`, applicant)).body
  if (status !== 'awaiting review' || review.command === 'none') return String(status)
  if (pace) await sleep((1_000 * reviewLag) / pace)
  const { command, reason } = review
  const reviewer = command === 'withdraw' ? applicant : underwriter
  const reviewed = await post(`/api/loans/${id}/${command}`, reviewer, `${key}-${command}`, { reason })
  if (reviewed.status !== 200) return `awaiting review (${command}: ${reviewed.body.code})`
  return { approve: 'approved', deny: 'denied', withdraw: 'withdrawn' }[command]
}

const loans = seedLoans(seed, count).values()
const endings = new Map<string, number>()
const sendOne = async (loan: SeedLoan): Promise<void> => {
  const ending = await send(loan)
  endings.set(ending, (endings.get(ending) ?? 0) + 1)
}

const sendPaced = async (loansPerSecond: number): Promise<void> => {
  const sent: Promise<void>[] = []
  for (const loan of loans) {
    const one = sendOne(loan)
    one.catch(() => undefined) // told at the end
    sent.push(one)
    await sleep(1_000 / loansPerSecond)
  }
  await Promise.all(sent)
}
const sendAtOnce = async (): Promise<void> => {
  const worker = async () => {
    for (const loan of loans) await sendOne(loan)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

await (pace === undefined ? sendAtOnce() : sendPaced(pace)).catch((error: Error) =>
  fail(`${values.url} does not answer as it should (${error.cause ?? error}). Is \`npm start\` running?`),
)
const summary = [...endings].sort(([a], [b]) => (a < b ? -1 : 1)).map(([ending, times]) => `  ${times} ${ending}\n`)
process.stdout.write(`${count} loans were sent to ${values.url}:\n${summary.join('')}`)
