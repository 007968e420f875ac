// Follows a live query of /live: keeps its rows, reconnects for ever, and goes on where it stopped.

const retryDelayMsMin = 250
const retryDelayMsMax = 10_000
// The server speaks at least every 15 s; silence for this long is a dead connection, whatever the socket says.
const silenceMsMax = 40_000

const subscription = 'rows'

/**
 * @param options.url of the socket
 * @param options.topic what to follow, with an optional `filter`
 * @param options.keyOf the key of a row
 * @param options.onState called with 'live' or 'reconnecting'
 * @param options.onHeard called whenever the server said something: the rows are known to be right
 * @param options.onRows called with all rows by key after each change, and the keys that changed (none after a snapshot)
 */
export const followLive = ({ url, topic, filter, keyOf, onState, onHeard, onRows }) => {
  let rows = new Map()
  let token
  let failures = 0
  let socket
  let retry
  let silence

  const receive = {
    snapshot: (message) => {
      rows = new Map(message.rows.map((row) => [keyOf(row), row]))
      settle(message.token)
      onRows(rows, [])
    },
    change: (message) => {
      for (const { op, key, row } of message.changes) {
        if (op === 'upsert') rows.set(key, row)
        else rows.delete(key)
      }
      settle(message.token)
      onRows(
        rows,
        message.changes.map(({ key }) => key),
      )
    },
    error: () => socket.close(),
  }

  const settle = (newToken) => {
    token = newToken
    failures = 0
    onState('live')
  }

  const listen = () => {
    clearTimeout(silence)
    silence = setTimeout(reconnect, silenceMsMax)
  }

  const connect = () => {
    clearTimeout(retry)
    socket = new WebSocket(url)
    const opened = socket
    opened.onopen = () => opened.send(JSON.stringify({ type: 'subscribe', id: subscription, topic, filter, token }))
    opened.onmessage = ({ data }) => {
      if (opened !== socket) return
      const message = JSON.parse(data)
      listen()
      receive[message.type]?.(message)
      if (message.type !== 'error') onHeard()
    }
    opened.onclose = () => {
      if (opened === socket) reconnect()
    }
    listen()
  }

  const reconnect = () => {
    clearTimeout(silence)
    const dead = socket
    socket = undefined
    dead?.close()
    onState('reconnecting')
    // Full jitter: a gateway that restarts does not meet all its clients in the same moment.
    const delayMsMax = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** failures)
    failures += 1
    retry = setTimeout(connect, retryDelayMsMin + Math.random() * delayMsMax)
  }

  const hurry = () => {
    if (!socket && document.visibilityState === 'visible') connect()
  }
  addEventListener('online', hurry)
  document.addEventListener('visibilitychange', hurry)
  connect()
}
