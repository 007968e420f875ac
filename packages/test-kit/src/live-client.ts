// Follows a live topic as a browser would: keeps the picture, and comes back with its token whatever happens to the gateway.
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'

const reconnectDelayMs = 50

type Row = Readonly<Record<string, unknown>>
type Message =
  | { type: 'snapshot'; rows: readonly Row[]; token: string }
  | {
      type: 'change'
      changes: readonly ({ op: 'upsert'; key: string; row: Row } | { op: 'remove'; key: string })[]
      token: string
    }
  | { type: 'heartbeat' }
  | { type: 'error'; code: string }

export type LiveClient = {
  /** By key, the rows as this client knows them. */
  readonly picture: () => ReadonlyMap<string, Row>
  readonly connections: () => number
  /** How often it was given everything anew. */
  readonly snapshots: () => number
  readonly stop: () => Promise<void>
}

/** @param keyOf names the key of a row in a snapshot */
export const followTopic = (
  gatewayUrl: string,
  topic: string,
  keyOf: (row: Row) => string,
  headers: Readonly<Record<string, string>>,
  filter = {},
): LiveClient => {
  let rows = new Map<string, Row>()
  let token: string | undefined
  let connections = 0
  let snapshots = 0
  let stopped = false
  let socket: WebSocket | undefined

  const take = (message: Message) => {
    if (message.type === 'snapshot') {
      snapshots++
      rows = new Map(message.rows.map((row) => [keyOf(row), row]))
      token = message.token
    } else if (message.type === 'change') {
      for (const change of message.changes)
        if (change.op === 'upsert') rows.set(change.key, change.row)
        else rows.delete(change.key)
      token = message.token
    } else if (message.type === 'error' && message.code === 'unavailable') {
      socket?.terminate() // the live query is over: it has to be asked for again
    }
  }
  const connect = () =>
    new Promise<void>((resolve) => {
      const opened = new WebSocket(`${gatewayUrl.replace('http', 'ws')}/live`, { headers })
      socket = opened
      opened.on('open', () => {
        connections++
        opened.send(JSON.stringify({ type: 'subscribe', id: 'all', topic, filter, ...(token ? { token } : {}) }))
      })
      opened.on('message', (data) => take(JSON.parse(String(data))))
      opened.on('error', () => undefined) // 'close' follows
      opened.on('close', () => resolve())
    })
  const following = (async () => {
    while (!stopped) {
      await connect()
      if (!stopped) await sleep(reconnectDelayMs)
    }
  })()
  return {
    picture: () => rows,
    connections: () => connections,
    snapshots: () => snapshots,
    stop: async () => {
      stopped = true
      socket?.terminate()
      await following
    },
  }
}
