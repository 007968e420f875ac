// A partner's webhook for tests: keeps what arrives, and answers as it is told.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { verify } from '@headwater/http-kit/outbound/webhook-signature'
import { onTestFinished } from 'vitest'

type Arrived = { readonly headers: IncomingMessage['headers']; readonly body: string }
type Answer = (response: ServerResponse) => void

const status =
  (code: number): Answer =>
  (response) =>
    response.writeHead(code).end()

export const startReceiver = async (answer: Answer | number = 204) => {
  let answerNow = answer
  const arrived: Arrived[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      arrived.push({ headers: request.headers, body })
      const now = typeof answerNow === 'number' ? status(answerNow) : answerNow
      now(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/headwater`,
    arrived,
    ids: () => arrived.map(({ headers }) => String(headers['webhook-id'])),
    bodies: () => arrived.map(({ body }) => JSON.parse(body) as Record<string, unknown>),
    answer: (next: Answer | number) => {
      answerNow = next
    },
    /** What the partner makes of the signatures, by its secret. */
    found: (secret: string, now = new Date()) =>
      arrived.map(({ headers, body }) => verify(headers, body, { secret, now })),
  }
}
