// The audit trail's writer: every noted event is stored once despite outages, and events above its bound are counted.
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AuditEvent } from '@headwater/deciders/audit/audit-events'
import { type Actor, anonymous } from '@headwater/deciders/policy'
import { start } from '@headwater/embedded-eventstore'
import { freePort } from '@headwater/test-kit/free-port'
import { afterEach, describe, expect, test } from 'vitest'
import { type AuditMetrics, startAudit } from '../src/audit.ts'
import { connectEventStore, type EventStore } from '../src/client/client.ts'
import { lineTo, logger, testStore, until } from './support.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const actor = { kind: 'person', sub: 'alice', roles: [] } as const

/** Each test has its own day: other users of the store share the stream of today. */
let days = 0
const newDay = () => new Date(Date.UTC(1990 + (days++ % 9), days % 12, 1 + Math.floor(Math.random() * 28)))
const refusedOn = (day: Date, code: string = randomUUID()): AuditEvent => ({
  type: 'RequestRefused',
  data: {
    actor,
    at: day.toISOString(),
    method: 'POST',
    route: '/api/loans/:id/approve',
    resource: randomUUID(),
    status: 403,
    code,
  },
})
const streamOf = (day: Date) => `audit-${day.toISOString().slice(0, 10)}`

const startOn = (url: string) => {
  const store = connectEventStore({ url, logger })
  const losses: string[] = []
  const unlisted = { count: 0 }
  const metrics: AuditMetrics = {
    counter: () => (labels) => {
      if (labels) losses.push(labels.reason)
      else unlisted.count++
    },
    gauge: () => undefined,
  }
  const audit = startAudit({ store, logger, days: 400, metrics })
  ends.push(async () => {
    await audit.stop()
    await store.close()
  })
  return { store, audit, losses, unlisted }
}
const written = async (store: EventStore, stream: string) => {
  const events = []
  for (;;) {
    const page = await store.readStream(stream, BigInt(events.length), 1_000)
    events.push(...page)
    if (page.length < 1_000) return events
  }
}
/** Events of all days from then until now: a test may begin before midnight and end after it. */
const writtenSince = async (store: EventStore, began: Date) => {
  const streams = new Set([began, new Date()].map(streamOf))
  return (await Promise.all([...streams].map((stream) => written(store, stream)))).flat()
}
const newStore = async () => {
  const { url, stop } = await testStore()
  ends.push(stop)
  return url
}

describe('noting', () => {
  test('continues in another stream when the stream of the day was deleted', async () => {
    const { store, audit, losses } = startOn(await newStore())
    const day = newDay()
    for (const deleted of [streamOf(day), `${streamOf(day)}.1`]) {
      await audit.record(refusedOn(day), { traceparent })
      await store.tombstone(deleted)
    }
    const last = refusedOn(day)
    await audit.record(last, { traceparent })
    expect((await written(store, `${streamOf(day)}.2`)).map(({ data }) => data)).toEqual([last.data])
    expect(losses).toEqual([])
  })

  test('writes batches to the stream of the day, and limits its age once', async () => {
    const { store, audit, losses } = startOn(await newStore())
    const [day, nextDay] = [newDay(), newDay()]
    const events = Array.from({ length: 450 }, () => refusedOn(day))
    for (const event of [...events, refusedOn(nextDay)]) audit.note(event, { traceparent })
    await until('all is written', () => audit.waiting() === 0)
    const found = await written(store, streamOf(day))
    expect(found.map(({ data }) => data)).toEqual(events.map(({ data }) => data))
    expect(found[0]?.metadata).toEqual({
      $correlationId: '4bf92f3577b34da6a3ce929d0e0e4736',
      actor: 'alice',
      traceparent,
      schema: 1,
    })
    expect(await written(store, streamOf(nextDay))).toHaveLength(1)
    audit.note(refusedOn(day), { traceparent })
    await until('all is written', () => audit.waiting() === 0)
    const settings = await written(store, `$$${streamOf(day)}`)
    expect(settings.map(({ data }) => data)).toEqual([{ $maxAge: 400 * 24 * 60 * 60 }])
    expect(losses).toEqual([])
  })

  test('once records an event once per actor', async () => {
    const { store, audit } = startOn(await newStore())
    const day = newDay()
    const followed = (list: string, minutes: number): AuditEvent => {
      const at = new Date(day.getTime() + minutes * 60_000).toISOString()
      return { type: 'ListFollowed', data: { actor, at, list, filter: { search: true } } }
    }
    for (const minutes of [0, 1, 2]) audit.noteOnce(followed('underwriting', minutes), { traceparent })
    audit.noteOnce(followed('loans', 0), { traceparent })
    await until('all is written', () => audit.waiting() === 0)
    expect((await written(store, streamOf(day))).map(({ data }) => data)).toMatchObject([
      { list: 'underwriting' },
      { list: 'loans' },
    ])
  })

  test('a refusal records actor and time, and skips anonymous callers', async () => {
    const began = new Date()
    const { store, audit } = startOn(await newStore())
    const code = randomUUID()
    const refused = { method: 'POST', route: '/', resource: null, status: 403, code, traceparent }
    audit.refused({ ...refused, actor: anonymous })
    audit.refused({ ...refused, actor: { kind: 'partner', sub: 'demo-partner', roles: [], scopes: ['loans:read'] } })
    await until('all is written', () => audit.waiting() === 0)
    const today = (await writtenSince(store, began)).filter(({ data }) => Object(data).code === code)
    expect(today.map(({ data }) => data)).toEqual([
      {
        actor: { kind: 'partner', sub: 'demo-partner', roles: [] },
        at: expect.any(String),
        method: 'POST',
        route: '/',
        resource: null,
        status: 403,
        code,
      },
    ])
  })

  test('a rate-limited client is recorded once per hour, for all its requests', async () => {
    const began = new Date()
    const { store, audit } = startOn(await newStore())
    const code = randomUUID()
    const partner = { kind: 'partner', sub: 'demo-partner', roles: [], scopes: [] } as const
    for (let n = 0; n < 100; n++)
      audit.refused({
        actor: partner,
        method: 'GET',
        route: '/',
        resource: randomUUID(),
        status: 429,
        code,
        traceparent,
      })
    await until('all is written', () => audit.waiting() === 0)
    const today = (await writtenSince(store, began)).filter(({ data }) => Object(data).code === code)
    expect(today).toMatchObject([{ data: { resource: null, status: 429 } }])
  })

  test('repeated refusals record 100 entries per hour and actor, then a marker that there were more', async () => {
    const began = new Date()
    const { store, audit, losses, unlisted } = startOn(await newStore())
    const code = randomUUID()
    const refused = { method: 'GET', route: '/', resource: null, status: 403, code, traceparent }
    const person = (name: string): Actor => ({ kind: 'person', sub: `${name}-${code}`, roles: [], scopes: [] })
    const [pushy, other] = [person('pushy'), person('other')]
    for (let n = 0; n < 250; n++) audit.refused({ ...refused, actor: pushy })
    audit.refused({ ...refused, actor: other })
    await until('all is written', () => audit.waiting() === 0)
    const today = await writtenSince(store, began)
    const of = ({ sub }: Actor) => today.filter(({ metadata }) => metadata.actor === sub).map(({ type }) => type)
    expect(of(pushy)).toEqual([...Array.from({ length: 100 }, () => 'RequestRefused'), 'RefusalsUnlisted'])
    expect(of(other)).toEqual(['RequestRefused'])
    expect(unlisted.count).toBe(150)
    expect(losses).toEqual([])
  })

  test('an operation records the operation and its actor', async () => {
    const began = new Date()
    const { store, audit } = startOn(await newStore())
    const resource = randomUUID()
    const operator = { kind: 'person', sub: 'otto', roles: ['operator'], scopes: [] } as const
    const operation = { method: 'POST', route: '/api/webhooks/:id/disable', resource }
    audit.done({ ...operation, actor: operator, traceparent })
    audit.done({ ...operation, actor: anonymous, traceparent })
    await until('all is written', () => audit.waiting() === 0)
    const today = (await writtenSince(store, began)).filter(({ data }) => Object(data).resource === resource)
    expect(today.map(({ type, data }) => ({ type, data }))).toEqual([
      {
        type: 'OperationDone',
        data: {
          actor: { kind: 'person', sub: 'otto', roles: ['operator'] },
          at: expect.any(String),
          ...operation,
        },
      },
    ])
  })

  test('is bounded: a burst during an outage counts the events that do not fit', async () => {
    const { audit, losses } = startOn('esdb://127.0.0.1:1?tls=false')
    const day = newDay()
    for (let n = 0; n < 6_000; n++) audit.note(refusedOn(day), { traceparent })
    expect(audit.waiting()).toBe(5_000)
    expect(losses).toHaveLength(1_000)
    expect(new Set(losses)).toEqual(new Set(['buffer full']))
  })

  test('is bounded in bytes', () => {
    const { audit, losses } = startOn('esdb://127.0.0.1:1?tls=false')
    const day = newDay()
    for (let n = 0; n < 50; n++) audit.note(refusedOn(day, 'x'.repeat(100_000)), { traceparent })
    expect(audit.waiting()).toBe(41)
    expect(losses).toHaveLength(9)
  })
})

describe('an outage', () => {
  test('of the store loses no event below the bound, and doubles none', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'audit-'))
    ends.push(() => rmSync(directory, { recursive: true, force: true }))
    const port = await freePort()
    const first = await start({ port, directory })
    const { store, audit, losses } = startOn(first.connectionString)
    const day = newDay()
    const codes = Array.from({ length: 300 }, (_, n) => String(n))
    for (const code of codes.slice(0, 100)) audit.note(refusedOn(day, code), { traceparent })
    await until('some are written', () => audit.waiting() === 0)
    await first.stop()
    for (const code of codes.slice(100)) audit.note(refusedOn(day, code), { traceparent })
    const second = await start({ port, directory })
    ends.push(() => second.stop())
    await until('all is written', () => audit.waiting() === 0)
    expect((await written(store, streamOf(day))).map(({ data }) => (data as { code: string }).code)).toEqual(codes)
    expect(losses).toEqual([])
  })

  test('of the answers doubles no event: the store recognizes a repeated batch, also with later events behind it', async () => {
    const url = await newStore()
    const line = await lineTo(url)
    ends.push(line.close)
    const { audit } = startOn(line.url)
    const { store: direct } = startOn(url)
    const day = newDay()
    audit.note(refusedOn(day), { traceparent })
    await until('the connection stands', () => audit.waiting() === 0)
    line.swallowReplies()
    audit.note(refusedOn(day), { traceparent })
    await until('it has arrived', async () => (await written(direct, streamOf(day))).length === 2)
    for (let n = 0; n < 10; n++) audit.note(refusedOn(day), { traceparent })
    await until('all is written', () => audit.waiting() === 0)
    expect(await written(direct, streamOf(day))).toHaveLength(12)
  })
})

describe('stopping', () => {
  test('writes the buffered events', async () => {
    const { store, audit, losses } = startOn(await newStore())
    const day = newDay()
    for (let n = 0; n < 300; n++) audit.note(refusedOn(day), { traceparent })
    await audit.stop()
    expect(await written(store, streamOf(day))).toHaveLength(300)
    audit.note(refusedOn(day), { traceparent })
    expect(losses).toEqual(['stopped'])
  })

  test('counts the events that it could not write', async () => {
    const { audit, losses } = startOn('esdb://127.0.0.1:1?tls=false')
    for (let n = 0; n < 3; n++) audit.note(refusedOn(newDay()), { traceparent })
    await audit.stop()
    expect(losses).toEqual(['stopped', 'stopped', 'stopped'])
    expect(audit.waiting()).toBe(0)
  })
})

describe('recording', () => {
  test('resolves when the event is stored', async () => {
    const { store, audit } = startOn(await newStore())
    const day = newDay()
    await audit.record(refusedOn(day), { traceparent })
    expect(await written(store, streamOf(day))).toHaveLength(1)
  })

  test('is refused while the store is away', async () => {
    const { audit } = startOn('esdb://127.0.0.1:1?tls=false')
    await expect(audit.record(refusedOn(newDay()), { traceparent })).rejects.toMatchObject({
      code: 'event_store_unavailable',
    })
  })
})
