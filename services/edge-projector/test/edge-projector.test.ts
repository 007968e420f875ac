// The edge projector as a process, beside a real store: ready once it has caught up, and saying what is wrong when it is.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { loanById, loans } from '@headwater/read-models/loan/loans'
import { expect, onTestFinished, test } from 'vitest'

const logger = createLogger({ service: 'test', level: 'silent' })
const deadlineMs = 20_000

const startStore = async () => {
  const node = await startEventStore({ port: 0, memory: true })
  const store = connectEventStore({ url: node.connectionString, logger })
  onTestFinished(async () => {
    await store.close()
    await node.stop()
  })
  const append = async (stream: string, type: string, data: object) => {
    const outcome = await store.append(stream, [{ id: randomUUID(), type, data, metadata: {} }], 'no_stream')
    if (outcome.outcome !== 'appended') throw new Error('the event was not appended')
    return outcome.position
  }
  const appendLoan = async () => {
    const loanId = randomUUID()
    const requestedBy = { kind: 'anonymous', id: 'anonymous' }
    const person = { name: 'Ada Lovelace', address: 'London', nationalId: '555555AA' }
    const data = { loanId, ...person, amount: 1, requestedBy, requestedAt: new Date().toISOString() }
    return { loanId, position: await append(`loan-${loanId}`, 'LoanRequested', data) }
  }
  return { url: node.connectionString, append, appendLoan }
}

const newDirectory = () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'edge-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const startProjector = async (eventStoreUrl: string, directory: string) => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../src/main.ts')], {
    env: { ...process.env, EVENTSTORE_URL: eventStoreUrl, EDGE_DIRECTORY: directory, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const stop = async () => {
    if (child.exitCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  onTestFinished(stop)
  let url = ''
  for await (const line of createInterface({ input: child.stdout })) {
    url = /http:[^"]+/.exec(line)?.[0] ?? ''
    if (url) break
  }
  child.stdout.resume()
  const readiness = async () => {
    const answer = await fetch(`${url}/health/ready`)
    return { code: answer.status, body: (await answer.json()) as { status: string; parts: { loans: object } } }
  }
  const metrics = async () => (await fetch(`${url}/metrics`)).text()
  return { readiness, metrics, stop, child }
}

test('is ready once it has caught up, and the rows are there', async () => {
  const store = await startStore()
  const { loanId } = await store.appendLoan()
  const directory = newDirectory()
  const projector = await startProjector(store.url, directory)
  await expect.poll(async () => (await projector.readiness()).code, { timeout: deadlineMs }).toBe(200)
  // What cannot be told in time is left out.
  const body = async () => (await projector.readiness()).body
  await expect.poll(body, { timeout: deadlineMs }).toMatchObject({
    status: 'ready',
    parts: { loans: { state: 'live', lagMs: 0, restarts: 0, rebuildNeeded: false } },
  })
  await expect
    .poll(projector.metrics, { timeout: deadlineMs })
    .toContain('projection_lag_seconds{projection="loans"} 0')
  const reader = openSqliteReader({ directory, projection: loans, logger })
  onTestFinished(reader.close)
  expect(reader.read((db) => db.rows(loanById(loanId))).value).toMatchObject([{ loanId, status: 'checking' }])

  const later = await store.appendLoan()
  expect(await reader.waitFor(later.position, deadlineMs)).toBe(true)
  await projector.stop()
  expect(projector.child.exitCode).toBe(0)
})

test('is ready in spite of an event that it cannot project, says how many streams wait, and projects all others', async () => {
  const store = await startStore()
  await store.append('loan-broken', 'LoanRequested', { nonsense: true })
  const directory = newDirectory()
  const projector = await startProjector(store.url, directory)
  await expect.poll(async () => (await projector.readiness()).code, { timeout: deadlineMs }).toBe(200)
  const body = async () => (await projector.readiness()).body
  await expect.poll(body, { timeout: deadlineMs }).toMatchObject({
    status: 'degraded',
    parts: { loans: { state: 'live', parked: 1, trouble: expect.stringContaining('headwater -- parked list') } },
  })
  await expect
    .poll(projector.metrics, { timeout: deadlineMs })
    .toContain('projection_parked_streams{projection="loans"} 1')
  const reader = openSqliteReader({ directory, projection: loans, logger })
  onTestFinished(reader.close)
  const { loanId, position } = await store.appendLoan()
  expect(await reader.waitFor(position, deadlineMs)).toBe(true)
  const { value, parkedStreams } = reader.rows(loanById(loanId))
  expect(value).toMatchObject([{ loanId }])
  expect(parkedStreams).toEqual(['loan-broken'])
})

test('asks for a rebuild when the folder belongs to another event store', async () => {
  const directory = newDirectory()
  const first = await startProjector((await startStore()).url, directory)
  await expect.poll(async () => (await first.readiness()).code, { timeout: deadlineMs }).toBe(200)
  await first.stop()
  const second = await startProjector((await startStore()).url, directory)
  await expect
    .poll(async () => (await second.readiness()).body.parts.loans, { timeout: deadlineMs })
    .toMatchObject({
      state: 'stopped',
      rebuildNeeded: true,
      trouble: expect.stringContaining('projections rebuild loans'),
    })
  expect((await second.readiness()).code).toBe(503)
})
