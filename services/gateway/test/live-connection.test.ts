// What a socket is sent while its client does not read: nothing, until there is room; then a snapshot that is new.
import { EventEmitter } from 'node:events'
import { createLogger } from '@headwater/http-kit/telemetry'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { serveConnection } from '../src/live-connection.ts'
import type { LiveQueries } from '../src/live-queries.ts'

const limits = {
  subscriptionsMax: 1,
  messagesMax: 100,
  connectionBytesMax: 1_000,
  outboxEntriesMax: 2,
  outboxBytesMax: 1_000,
}

test('a full connection is sent nothing: neither news nor heartbeats nor refusals', () => {
  const sent: string[] = []
  const socket = Object.assign(new EventEmitter(), {
    OPEN: WebSocket.OPEN,
    readyState: WebSocket.OPEN,
    bufferedAmount: 0,
    send: (message: string) => sent.push(message),
    ping: () => undefined,
    close: () => undefined,
  })
  let follower: Parameters<LiveQueries['follow']>[1] | undefined
  let rows = ['{"n":1}']
  const loans: LiveQueries = {
    follow: (_view, followedBy) => {
      follower = followedBy
      return { rows: () => rows, token: () => `t${rows.length}`, stop: () => undefined }
    },
    stop: async () => undefined,
  }
  const queries = { loans, underwriting: loans }
  const logger = createLogger({ service: 'test', level: 'silent' })
  const connection = serveConnection(socket as unknown as WebSocket, { queries, sight: 'public', limits, logger })
  socket.emit('message', '{"type":"subscribe","id":"q","topic":"loans"}')
  follower?.restarted()
  expect(sent).toEqual(['{"type":"snapshot","id":"q","rows":[{"n":1}],"token":"t1"}'])

  socket.bufferedAmount = limits.connectionBytesMax
  for (const key of ['a', 'b', 'c']) follower?.changed(new Map([[key, `"${key}"`]]), 'later')
  socket.emit('message', 'nonsense')
  connection.beat()
  expect(sent).toHaveLength(1)
  expect(connection.waiting()).toBe(0)

  rows = ['{"n":1}', '{"n":2}']
  socket.bufferedAmount = 0
  follower?.changed(new Map([['d', '"d"']]), 't2')
  expect(sent.slice(1)).toEqual(['{"type":"snapshot","id":"q","rows":[{"n":1},{"n":2}],"token":"t2"}'])
})
