// The directory of people over HTTP: who may ask it, and that whatever else answers is no answer.
import { randomUUID } from 'node:crypto'
import { createHealth } from '@headwater/http-kit/server/health'
import { createPeopleServer } from '@headwater/http-kit/server/people-server'
import { createServer } from '@headwater/http-kit/server/server'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { expect, onTestFinished, test } from 'vitest'
import { connectDirectory, DirectoryUnavailable } from '../src/directory.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const key = randomUUID()
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const start = async () => {
  const server = await createPeopleServer({
    key,
    find: async (id) => (id === 'dora' ? { roles: ['doctor'] } : undefined),
    logger,
  })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close())
  const connect = (to: { url: string; key: string }) => {
    const directory = connectDirectory({ ...to, logger })
    onTestFinished(directory.close)
    return { ...directory, find: (id: string) => directory.find(id, traceparent) }
  }
  return { server, url, connect }
}

test('finds people with their roles, and no one under other IDs', async () => {
  const { url, connect } = await start()
  const { find } = connect({ url, key })
  expect([await find('dora'), await find('dan')]).toEqual([{ roles: ['doctor'] }, undefined])
})

test('answers only to the key: without it, or with a token, no ID can be tried', async () => {
  const { server, url, connect } = await start()
  await expect(connect({ url, key: randomUUID() }).find('dora')).rejects.toThrow(DirectoryUnavailable)
  const payload = { id: 'dora' }
  const answer = await server.inject({ method: 'POST', url: '/people/find', payload })
  expect([answer.statusCode, answer.json().code]).toEqual([401, 'not_signed_in'])
})

test('an address where something else or nothing answers does not pass for an empty directory', async () => {
  const { connect } = await start()
  const other = await createServer({ title: 'Other', description: 'Another server.', logger, health: createHealth({}) })
  onTestFinished(() => other.close())
  const elsewhere = connect({ url: await other.listen({ host: '127.0.0.1', port: 0 }), key })
  await expect(elsewhere.find('dora')).rejects.toThrow(DirectoryUnavailable)
  const away = connect({ url: 'http://127.0.0.1:1', key })
  for (let tries = 0; tries < 5; tries++) await expect(away.find('dora')).rejects.toThrow(DirectoryUnavailable)
  expect(away.isGivenUp()).toBe(true)
})
