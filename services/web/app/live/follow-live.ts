// Follows a live query of /live: keeps its rows, reconnects until the session ends, and goes on where it stopped.

const retryDelayMsMin = 250
const retryDelayMsMax = 10_000
// The server speaks at least every 15 s; silence for this long is a dead connection, whatever the socket says.
const silenceMsMax = 40_000

/** Of the server's own range: to go on, sign in again. */
const sessionEnded = 4401
const refusals: readonly string[] = ['not_signed_in', 'forbidden']

const subscription = 'rows'

/** After `ended` nothing comes any more: whoever looks is not, or not any more, somebody who may see it. */
export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'ended'

export type LiveQuery<Row> = {
  readonly topic: string
  readonly filter?: Readonly<Record<string, string>> | undefined
  readonly keyOf: (row: Row) => string
}

type Listeners<Row> = {
  readonly onState: (state: LiveState) => void
  /** The server said something: the rows are known to be right. */
  readonly onHeard: () => void
  /** All rows by key after each change, and the keys that changed: none after a snapshot. */
  readonly onRows: (rows: ReadonlyMap<string, Row>, changedKeys: readonly string[]) => void
}

type ServerMessage<Row> =
  | { readonly type: 'snapshot'; readonly rows: readonly Row[]; readonly token: string }
  | {
      readonly type: 'change'
      readonly changes: readonly ({ readonly key: string } & (
        | { readonly op: 'upsert'; readonly row: Row }
        | { readonly op: 'remove' }
      ))[]
      readonly token: string
    }
  | { readonly type: 'heartbeat' }
  | { readonly type: 'error'; readonly code: string }

/** @returns what ends it */
export const followLive = <Row>(
  { topic, filter, keyOf }: LiveQuery<Row>,
  { onState, onHeard, onRows }: Listeners<Row>,
): (() => void) => {
  let rows = new Map<string, Row>()
  let token: string | undefined
  let failures = 0
  let socket: WebSocket | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let silence: ReturnType<typeof setTimeout> | undefined

  const settle = (newToken: string) => {
    token = newToken
    failures = 0
    onState('live')
  }

  const receive = (message: ServerMessage<Row>) => {
    if (message.type === 'snapshot') {
      rows = new Map(message.rows.map((row) => [keyOf(row), row]))
      settle(message.token)
      onRows(rows, [])
    }
    if (message.type === 'change') {
      for (const change of message.changes) {
        if (change.op === 'upsert') rows.set(change.key, change.row)
        else rows.delete(change.key)
      }
      settle(message.token)
      onRows(
        rows,
        message.changes.map(({ key }) => key),
      )
    }
    if (message.type !== 'error') onHeard()
    else if (refusals.includes(message.code)) end()
    else socket?.close()
  }

  const listen = () => {
    clearTimeout(silence)
    silence = setTimeout(reconnect, silenceMsMax)
  }

  const connect = () => {
    clearTimeout(retry)
    const opened = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/live`)
    socket = opened
    opened.onopen = () => opened.send(JSON.stringify({ type: 'subscribe', id: subscription, topic, filter, token }))
    opened.onmessage = ({ data }) => {
      if (opened !== socket) return
      listen()
      receive(JSON.parse(data))
    }
    opened.onclose = ({ code }) => {
      if (opened !== socket) return
      if (code === sessionEnded) end()
      else reconnect()
    }
    listen()
  }

  const disconnect = () => {
    clearTimeout(silence)
    clearTimeout(retry)
    const dead = socket
    socket = undefined
    dead?.close()
  }

  const reconnect = () => {
    disconnect()
    onState('reconnecting')
    // Full jitter: a gateway that restarts does not meet all its clients in the same moment.
    const delayMsMax = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** failures)
    failures += 1
    retry = setTimeout(connect, retryDelayMsMin + Math.random() * delayMsMax)
  }

  const hurry = () => {
    if (!socket && document.visibilityState === 'visible') connect()
  }
  const stop = () => {
    removeEventListener('online', hurry)
    removeEventListener('offline', reconnect)
    document.removeEventListener('visibilitychange', hurry)
    disconnect()
  }
  const end = () => {
    stop()
    onState('ended')
  }
  addEventListener('online', hurry)
  addEventListener('offline', reconnect)
  document.addEventListener('visibilitychange', hurry)
  connect()
  return stop
}
