// A partner with a webhook: receives what it is told about its loans and keeps how often each message came.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { post } from '@headwater/test-kit/system'

type Received = { readonly loanId: string; readonly type: string; readonly times: number }

export type WebhookReceiver = {
  /** By message id, what arrived. */
  readonly received: ReadonlyMap<string, Received>
  readonly stop: () => Promise<void>
}

/** Registers the webhook as an operator does. */
export const startPartner = async (
  partner: string,
  gatewayUrl: string,
  asOperator: Readonly<Record<string, string>>,
): Promise<WebhookReceiver> => {
  const received = new Map<string, Received>()
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return // whoever sent it is gone, and sends it again
    }
    const id = String(request.headers['webhook-id'])
    const { loanId, type } = JSON.parse(Buffer.concat(chunks).toString())
    received.set(id, { loanId, type, times: (received.get(id)?.times ?? 0) + 1 })
    response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/headwater`
  const registered = await post(`${gatewayUrl}/api/webhooks`, { partner, url }, asOperator)
  if (registered.status !== 201) throw new Error(`The webhook was not registered: ${JSON.stringify(registered.body)}`)
  return {
    received,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
