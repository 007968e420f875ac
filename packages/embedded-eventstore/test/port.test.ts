// One port for HTTP/2 and HTTP/1.1: connections that send nothing, too little, or anything else are ended.
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { EventStoreDBClient } from '@eventstore/db-client'
import { afterEach, expect, test } from 'vitest'
import { createHttp, json, type Route } from '../src/http/http.ts'
import { openPort, type Port } from '../src/http/port.ts'
import { openGuard } from '../src/security/guard.ts'
import { start } from '../src/start.ts'
import { added, useStore } from './helpers.ts'

const used = useStore()
const url = (path: string): string => `http://127.0.0.1:${used.store.port}${path}`

// All data from the other side until it ends.
const answerTo = async (socket: Socket, ...said: (string | Buffer)[]): Promise<string> => {
  let text = ''
  socket.on('data', (part) => (text += part.toString('latin1')))
  socket.on('error', () => {})
  for (const part of said) {
    socket.write(part)
    // Each in its own packet.
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (!socket.closed) await once(socket, 'close')
  return text
}

test('GET /ping is served, and an unknown path is 404, beside gRPC on the same port', async () => {
  const pong = await fetch(url('/ping'))
  expect(pong.status).toBe(200)
  expect(await pong.json()).toEqual({ msgTypeId: expect.any(Number), text: 'Ping request successfully handled' })
  expect((await fetch(url('/nonsense'))).status).toBe(404)
  expect((await fetch(url('/ping'), { method: 'POST' })).status).toBe(404)
  expect((await used.client.appendToStream('beside', added())).success).toBe(true)
})

test('GET /health/live answers 204, or the status that a probe requests', async () => {
  expect((await fetch(url('/health/live'))).status).toBe(204)
  expect((await fetch(url('/health/live?liveCode=200'))).status).toBe(200)
  expect((await fetch(url('/health/live?liveCode=500'))).status).toBe(400)
})

test('GET /info and /gossip describe the node and its address', async () => {
  const info = await (await fetch(url('/info'))).json()
  expect(info).toMatchObject({
    esVersion: '24.6.0',
    state: 'leader',
    features: { projections: true },
    authentication: { type: 'insecure' },
  })
  const gossip = await (await fetch(url('/gossip'))).json()
  expect(gossip).toMatchObject({
    members: [{ state: 'Leader', isAlive: true, httpEndPointIp: '127.0.0.1', httpEndPointPort: used.store.port }],
  })
})

test('an invalid request is answered with 400, and an overlong one is cut off', async () => {
  const socket = () => connect(used.store.port, '127.0.0.1')
  expect(await answerTo(socket(), 'what is this?\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  expect(await answerTo(socket(), Buffer.from([0, 1, 2, 3, 255]))).toMatch(/^HTTP\/1\.1 400 /)
  expect(await answerTo(socket(), `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
  expect((await fetch(url('/streams/%ff'))).status).toBe(400)
  const long = await fetch(url('/streams/x'), { method: 'POST', body: 'x'.repeat(2 * 1024 * 1024 + 1) })
  expect(long.status).toBe(413)
})

test('an HTTP/2 preface in single bytes is served, and garbage after it ends only that connection', async () => {
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
  const garbage = connect(used.store.port, '127.0.0.1')
  await answerTo(garbage, ...preface, 'garbage garbage garbage garbage garbage')
  expect((await used.client.appendToStream('after', added())).success).toBe(true)
})

let port: Port | undefined
afterEach(() => port?.destroyAll())

const open = async (route: Route, firstBytesMs?: number): Promise<(allowHalfOpen?: boolean) => Socket> => {
  const times = { headersMs: 500, requestMs: 1_000, idleMs: 1_500, keepAliveMs: 200, checkEveryMs: 50 }
  const http = createHttp(route, openGuard, () => true, times)
  const serve = { http1: http.take, http2: () => expect.unreachable() }
  port = await openPort({ host: '127.0.0.1', port: 0, serve, tls: undefined, ...(firstBytesMs && { firstBytesMs }) })
  const { number } = port
  return (allowHalfOpen = false) => connect({ port: number, host: '127.0.0.1', allowHalfOpen })
}

test('a connection without enough bytes to identify its protocol is ended in time', async () => {
  const connected = await open(() => undefined, 50)
  expect(await answerTo(connected())).toBe('')
  expect(await answerTo(connected(), 'PRI * HT')).toBe('')
  const halfOpen = connected(true)
  halfOpen.end()
  expect(await answerTo(halfOpen)).toBe('')
})

test('an incomplete request is answered with 408, and an idle connection is ended', async () => {
  const connected = await open(({ path }) => (path[0] === 'never' ? new Promise(() => {}) : json({})))
  const [headers, body, idle, unanswered] = await Promise.all([
    answerTo(connected(), 'GET / HTTP/1.1\r\nhost: x\r\nslow: '),
    answerTo(connected(), 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1234'),
    answerTo(connected(), 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    answerTo(connected(), 'GET /never HTTP/1.1\r\nhost: x\r\n\r\n'),
  ])
  expect(headers).toMatch(/^HTTP\/1\.1 408 /)
  expect(body).toMatch(/^HTTP\/1\.1 408 /)
  expect(idle).toMatch(/^HTTP\/1\.1 200 /)
  expect(unanswered).toBe('')
})

test('stopping ends silent and idle connections of both protocols, and those that do not close', async () => {
  const store = await start({ memory: true })
  const client = EventStoreDBClient.connectionString(store.connectionString)
  await client.appendToStream('x', added())
  const silent = connect(store.port, '127.0.0.1')
  const idle = connect(store.port, '127.0.0.1')
  idle.write('GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(idle, 'data')
  const unfinished = connect(store.port, '127.0.0.1')
  unfinished.write('POST /streams/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n1234')
  const session = connectHttp2(`http://127.0.0.1:${store.port}`)
  session.on('error', () => {})
  const stalled = session.request({ ':path': '/event_store.client.streams.Streams/Append', ':method': 'POST' })
  stalled.on('error', () => {})
  await once(session, 'remoteSettings')
  const ended = [silent, idle, unfinished].map((socket) => answerTo(socket))
  await store.stop()
  await Promise.all(ended)
  await expect(fetch(`http://127.0.0.1:${store.port}/ping`)).rejects.toThrow()
  await client.dispose()
})
