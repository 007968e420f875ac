// What is sent to webhooks goes to the open Internet only, and no receiver can hold, flood or redirect the sender.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openWebhookSender, type WebhookSenderOptions } from '../src/outbound/webhook-sender.ts'
import { verify } from '../src/outbound/webhook-signature.ts'

const secret = 'whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw=='
const message = { id: 'an id', body: '{"a":1}' }

const open = (options: Partial<WebhookSenderOptions> = {}) => {
  const sender = openWebhookSender({ allowPrivate: false, ...options })
  onTestFinished(sender.close)
  return sender
}

const receiver = async (listener: RequestListener) => {
  let calls = 0
  const server = createServer((request, response) => {
    calls++
    listener(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}/`, calls: () => calls }
}

test.each([
  ['http', 'http://example.com/'],
  ['another port', 'https://example.com:8443/'],
  ['a user', 'https://ada@example.com/'],
  ['a password', 'https://:secret@example.com/'],
  ['a fragment', 'https://example.com/#top'],
  ['no address', 'example.com'],
  ['a file', 'file:///etc/passwd'],
  ['too long', `https://example.com/${'a'.repeat(2_000)}`],
  ['loopback', 'https://127.0.0.1/'],
  ['loopback in other words', 'https://0x7f.1/'],
  ['loopback as one number', 'https://2130706433/'],
  ['loopback, IPv6', 'https://[::1]/'],
  ['loopback, IPv4 in IPv6', 'https://[::ffff:127.0.0.1]/'],
  ['metadata of a cloud', 'https://169.254.169.254/latest/meta-data'],
])('%s is refused by looking at it', async (_what, url) => {
  const sender = open()
  expect(sender.urlError(url)).toBeTypeOf('string')
  expect(await sender.send({ ...message, url }, [secret])).toMatchObject({ delivered: false, status: null })
})

test('https to a name or a public address is not', () => {
  const { urlError } = open()
  for (const url of ['https://example.com/hook?a=b', 'https://example.com:443/', 'https://8.8.8.8/'])
    expect(urlError(url)).toBeUndefined()
})

test.each([
  ['localhost', undefined],
  ['rebinding.example', ['127.0.0.1']],
  ['one-of-two.example', ['93.184.215.14', '10.0.0.1']],
  ['mapped.example', ['::ffff:169.254.169.254']],
])('%s is refused when it is connected to', async (host, addresses) => {
  const resolve: WebhookSenderOptions['resolve'] = (_host, done) =>
    done(null, addresses?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })) ?? [])
  const sender = open(addresses ? { resolve } : {})
  expect(sender.urlError(`https://${host}/`)).toBeUndefined()
  expect(await sender.send({ ...message, url: `https://${host}/` }, [secret])).toEqual({
    delivered: false,
    status: null,
    error: 'address_not_public',
  })
})

test('a name that changes between two look-ups is asked for once a message, and its answer is what counts', async () => {
  const asked: string[] = []
  const resolve: WebhookSenderOptions['resolve'] = (host, done) => {
    asked.push(host)
    done(null, [{ address: '127.0.0.1', family: 4 }])
  }
  const sender = open({ resolve })
  for (const _ of [1, 2]) await sender.send({ ...message, url: 'https://rebinding.example/' }, [secret])
  expect(asked).toEqual(['rebinding.example', 'rebinding.example'])
})

test('what arrives is signed; the answer counts by its status', async () => {
  const found: string[] = []
  const { url } = await receiver((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      found.push(verify(request.headers, body, { secret, now: new Date() }), body)
      response.writeHead(204).end()
    })
  })
  const outcome = await open({ allowPrivate: true }).send({ ...message, url }, [secret])
  expect(outcome).toEqual({ delivered: true, status: 204 })
  expect(found).toEqual(['genuine', message.body])
})

test('a redirect is not followed', async () => {
  const inner = await receiver((_request, response) => response.end())
  const { url } = await receiver((_request, response) => response.writeHead(307, { location: inner.url }).end())
  const outcome = await open({ allowPrivate: true }).send({ ...message, url }, [secret])
  expect(outcome).toEqual({ delivered: false, status: 307, error: 'answered 307' })
  expect(inner.calls()).toBe(0)
})

test('an answer without end is not read', async () => {
  const closed = Promise.withResolvers<void>()
  const { url } = await receiver((_request, response) => {
    const more = () => {
      while (response.writable && response.write(Buffer.alloc(64 * 1024)));
    }
    response.writeHead(200).on('drain', more).on('close', closed.resolve)
    more()
  })
  expect(await open({ allowPrivate: true }).send({ ...message, url }, [secret])).toEqual({
    delivered: true,
    status: 200,
  })
  await closed.promise
})

test('an answer with a head too large is none', async () => {
  const { url } = await receiver((_request, response) =>
    response.writeHead(200, { 'x-large': 'x'.repeat(32 * 1024) }).end(),
  )
  expect(await open({ allowPrivate: true }).send({ ...message, url }, [secret])).toMatchObject({ delivered: false })
})

test('who does not answer is given up', async () => {
  const { url } = await receiver(() => undefined)
  expect(await open({ allowPrivate: true }).send({ ...message, url }, [secret])).toEqual({
    delivered: false,
    status: null,
    error: 'no answer within 10 s',
  })
}, 20_000)

test('what was answered in error is told by its status alone', async () => {
  const { url } = await receiver((_request, response) => response.writeHead(500).end('a secret of the inside'))
  expect(await open({ allowPrivate: true }).send({ ...message, url }, [secret])).toEqual({
    delivered: false,
    status: 500,
    error: 'answered 500',
  })
})
