// Many people who watch the live loans over sockets of their own, and one who appends loans at a steady pace.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { loan } from '@headwater/deciders/loan/loan'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { WebSocket } from 'ws'
import { percentile, requestLoan } from '../load.ts'
import { serveTasks } from '../worker.ts'

const logger = createLogger({ service: 'bench', level: 'silent' })
const lateMsMax = 10_000

type Message =
  | { readonly type: 'snapshot' | 'error' | 'heartbeat' }
  | { readonly type: 'change'; readonly changes: readonly { readonly op: 'upsert' | 'remove'; readonly key: string }[] }

type Viewer = { readonly token: string; readonly address: string }

/** Opens a socket and resolves once it has its snapshot; then tells of each loan the first time that it is shown. */
const watchLoans = async (url: string, who: Viewer, onLoan: (loanId: string) => void): Promise<WebSocket> => {
  const { token, address } = who
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` }, localAddress: address })
  const snapshot = Promise.withResolvers<void>()
  const shown = new Set<string>()
  socket.on('message', (data) => {
    const message: Message = JSON.parse(String(data))
    if (message.type === 'error') snapshot.reject(new Error(String(data)))
    if (message.type === 'snapshot') snapshot.resolve()
    if (message.type !== 'change') return
    for (const { op, key } of message.changes)
      if (op === 'upsert' && !shown.has(key)) {
        shown.add(key)
        onLoan(key)
      }
  })
  socket.on('close', (code) => snapshot.reject(new Error(`The gateway closed a socket (${code}).`)))
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'subscribe', id: 'loans', topic: 'loans' }))
  await snapshot.promise
  return socket
}

type Watch = {
  readonly eventStoreUrl: string
  readonly liveUrl: string
  /** One a person; they share the sockets evenly. */
  readonly tokens: readonly string[]
  readonly sockets: number
  readonly perSecond: number
  readonly durationMs: number
}

const tasks = {
  /** Milliseconds from the call of append to the arrival at each socket. */
  run: async ({ eventStoreUrl, liveUrl, tokens, sockets, perSecond, durationMs }: Watch) => {
    const store = connectEventStore({ url: eventStoreUrl, logger })
    const appendedAt = new Map<string, number>()
    const latencies: number[] = []
    const arrived = (loanId: string) => {
      const at = appendedAt.get(loanId)
      if (at !== undefined) latencies.push(performance.now() - at)
    }
    // On Linux all of 127.0.0.0/8 is this machine.
    const people = tokens.map((token, n) => ({ token, address: `127.0.1.${n + 1}` }))
    const viewers = await Promise.all(
      Array.from({ length: sockets }, (_, n) => watchLoans(liveUrl, people[n % people.length] as Viewer, arrived)),
    )
    const startedAt = performance.now()
    const appends: Promise<unknown>[] = []
    const total = Math.floor((durationMs / 1_000) * perSecond)
    for (let n = 0; n < total; n++) {
      const waitMs = startedAt + (n * 1_000) / perSecond - performance.now()
      if (waitMs > 0) await sleep(waitMs)
      const loanId = randomUUID()
      // Live queries show the newest loans.
      const events = loan.decide(requestLoan(loanId, new Date().toISOString()), loan.initialState)
      const toAppend = events.map(({ type, data }) => ({ id: randomUUID(), type, data, metadata: {} }))
      appendedAt.set(loanId, performance.now())
      appends.push(store.append(`loan-${loanId}`, toAppend, 'no_stream'))
    }
    await Promise.all(appends)
    const deadline = performance.now() + lateMsMax
    while (latencies.length < total * sockets && performance.now() < deadline) await sleep(20)
    for (const viewer of viewers) viewer.terminate()
    await store.close()
    const sorted = latencies.toSorted((a, b) => a - b)
    return { missing: total * sockets - sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) }
  },
}
export type ViewersTasks = typeof tasks

serveTasks(tasks)
