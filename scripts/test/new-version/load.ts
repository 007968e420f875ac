// People at work: each applies, looks at their loan, and decides or lists, without a pause; what fails is kept.
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { application, nationalId } from '@headwater/test-kit/system'

type Headers = Readonly<Record<string, string>>

const requestMsMax = 15_000
/** Who is told that the newest is not known yet asks again; the gateway waits 2 s each time. */
const staleTriesMax = 5

/** Each on a connection of its own, so that it goes where the front leads at that moment. */
const ask = (url: string, method: string, headers: Headers, body?: object) =>
  new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
    const sent = request(
      url,
      { method, agent: false, headers: { ...headers, ...(body && { 'content-type': 'application/json' }) } },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part) => {
          text += part
        })
        answer.on('error', reject)
        answer.on('end', () => {
          if (!answer.complete) return reject(new Error('The answer is not whole.'))
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) })
        })
      },
    )
    sent.setTimeout(requestMsMax, () => sent.destroy(new Error(`No answer within ${requestMsMax} ms.`)))
    sent.on('error', reject)
    sent.end(body && JSON.stringify(body))
  })

const askUntilKnown = async (url: string, headers: Headers): ReturnType<typeof ask> => {
  for (let tries = 1; ; tries++) {
    const answer = await ask(url, 'GET', headers)
    if (answer.body.code !== 'read_model_behind' || tries === staleTriesMax) return answer
  }
}

export type Load = {
  readonly requests: () => number
  /** What was not answered as it should be. */
  readonly failures: readonly string[]
  /** Finishes what is under way. */
  readonly stop: () => Promise<void>
}

export const startLoad = (
  url: string,
  people: number,
  { asApplicant, asUnderwriter }: { readonly asApplicant: Headers; readonly asUnderwriter: Headers },
): Load => {
  const failures: string[] = []
  let requests = 0
  let isOver = false
  let serial = 0

  const expectOf = async (what: string, status: number, answering: ReturnType<typeof ask>) => {
    requests++
    const answer = await answering.catch((error: unknown) => ({ status: 0, body: { error: String(error) } }))
    if (answer.status !== status) failures.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body as Record<string, unknown>
  }
  const work = async () => {
    while (!isOver) {
      const key = { 'idempotency-key': randomUUID() }
      const applied = ask(`${url}/api/loans`, 'POST', { ...asApplicant, ...key }, application(nationalId(5, ++serial)))
      const { id, position } = await expectOf('apply', 201, applied)
      if (id === undefined) continue
      const after = `after=${encodeURIComponent(String(position))}`
      const loan = await expectOf('look', 200, askUntilKnown(`${url}/api/loans/${id}?${after}`, asUnderwriter))
      if (loan.id !== id && loan.loanId !== id) failures.push(`look: another loan than ${id}: ${JSON.stringify(loan)}`)
      await expectOf('queue', 200, ask(`${url}/api/underwriting/queue?${after}`, 'GET', asUnderwriter))
      // Some wait for ever, so that the queue shows something.
      if (serial % 3 > 0)
        await expectOf('approve', 200, ask(`${url}/api/loans/${id}/approve`, 'POST', asUnderwriter, {}))
    }
  }
  const working = Array.from({ length: people }, work)
  return {
    requests: () => requests,
    failures,
    stop: async () => {
      isOver = true
      await Promise.all(working)
    },
  }
}
