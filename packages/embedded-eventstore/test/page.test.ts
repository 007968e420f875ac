// The developer's page: its content, its access control, and that stored text cannot run in it.
import { request } from 'node:https'
import { jsonEvent, persistentSubscriptionToStreamSettingsFromDefaults, START } from '@eventstore/db-client'
import { describe, expect, test } from 'vitest'
import { added, many, newStream, useStore } from './helpers.ts'
import { as, authorization, useSecureStore } from './security.ts'

const used = useStore()
const address = (path: string): string => `http://127.0.0.1:${used.store.port}/${path}`
const browse = (stream: string, rest = ''): string => `browse?${new URLSearchParams({ stream })}${rest}`
const page = async (path: string) => {
  const response = await fetch(address(path))
  return { status: response.status, headers: response.headers, body: await response.text() }
}
const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`

test('the page lists streams newest first and filters by prefix', async () => {
  const category = newStream('page')
  for (const id of [1, 2]) await used.client.appendToStream(`${category}-${id}`, many(id))
  const { body, status } = await page(`?prefix=${category}`)
  expect(status).toBe(200)
  const [second, first] = [body.indexOf(`>${category}-2</a>`), body.indexOf(`>${category}-1</a>`)]
  expect(second).toBeGreaterThan(0)
  expect(first).toBeGreaterThan(second)
  expect((await page('?prefix=no-such-stream')).body).toContain('No stream')
})

test('system streams are shown on request, and long lists have pages', async () => {
  const category = newStream('many')
  await used.client.setStreamMetadata(`${category}-1`, { maxCount: 5 })
  expect((await page('')).body).not.toContain(`$$${category}-1`)
  expect((await page('?system=true')).body).toContain(`>$$${category}-1</a>`)
  await Promise.all(Array.from({ length: 60 }, (_, id) => used.client.appendToStream(`${category}-${id}`, added())))
  const shown = async (path: string) => {
    const { body } = await page(path)
    return {
      names: [...body.matchAll(/class="name"><a [^>]*>([^<]+)</g)].map(([, name]) => name),
      next: /href="\.(\?[^"]+)">Older/.exec(body)?.[1]?.replaceAll('&amp;', '&'),
    }
  }
  const first = await shown(`?prefix=${category}`)
  const second = await shown(first.next ?? '')
  expect(new Set([...first.names, ...second.names])).toHaveProperty('size', 60)
  expect(second.next).toBeUndefined()
})

test('snapshots, which are personal data, are shown nowhere', async () => {
  const stream = `snapshot_${newStream()}`
  await used.client.appendToStream(stream, jsonEvent({ type: 'Snapshot', data: { name: 'Ada' } }))
  for (const path of ['', '?system=true', `?prefix=${stream}`])
    expect((await page(path)).body).not.toContain(`>${stream}`)
  for (const path of [browse(stream), browse('$all'), browse('$all', '&part=events')]) {
    const { body } = await page(path)
    expect(body).not.toContain('Ada')
    expect(body).not.toContain('<b>Snapshot</b>')
  }
})

test('events are shown with their data, on pages in both directions, with new ones added', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(30))
  const newest = await page(browse(stream))
  expect(newest.body).toContain('&quot;number&quot;: 29')
  expect(newest.body).toContain(`from=9">Older</a>`)
  const older = await page(browse(stream, '&from=9'))
  expect(older.body).toContain('&quot;number&quot;: 0')
  expect(older.body).toContain('Newer</a>')
  expect(older.body).not.toContain('<script')
  await used.client.appendToStream(stream, added(30))
  const part = await (await fetch(address(browse(stream, '&from=30&direction=forwards&part=events')))).json()
  expect(part).toEqual({ newer: 31, html: expect.stringContaining('&quot;number&quot;: 30') })
})

test('numbers keep all digits, and a link event links to its target', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, added())
  const metadata = await page(browse(`$$${stream}`))
  expect(metadata.status).toBe(404)
  await used.client.deleteStream(stream)
  expect((await page(browse(`$$${stream}`))).body).toContain('9223372036854775807')
  await fetch(address(`streams/${stream}-links`), {
    method: 'POST',
    body: `0@${stream}`,
    headers: { 'es-eventtype': '$>', 'content-type': 'text/plain' },
  })
  expect((await page(browse(`${stream}-links`))).body).toContain(`>0@${stream}</a>`)
})

test('deeply nested, broken and binary data is shown as text, beside other events', async () => {
  const stream = newStream()
  const post = (body: string, type: string) =>
    fetch(address(`streams/${stream}`), {
      method: 'POST',
      body,
      headers: { 'es-eventtype': 'T', 'content-type': type },
    })
  await post(`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'application/json')
  await post('{"broken":', 'application/json')
  await post('binary', 'application/octet-stream')
  await post('"text"', 'application/json')
  const { body, status } = await page(browse(stream))
  expect(status).toBe(200)
  expect(body).toContain('of 200000 characters')
  expect(body).toContain('{&quot;broken&quot;:')
  expect(body).toContain(Buffer.from('binary').toString('base64'))
  expect((await fetch(address(`streams/${stream}`))).status).toBe(200)
})

test('persistent subscriptions are listed with their lag', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(3))
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START })
  await used.client.createPersistentSubscriptionToStream(stream, 'workers', settings)
  const rowOf = async (): Promise<(string | undefined)[]> => {
    const { body } = await page('')
    const line = body.split('<tr>').find((each) => each.includes(stream) && each.includes('workers')) ?? ''
    return [...line.matchAll(/<td class="number">(\d+)</g)].map(([, number]) => number)
  }
  expect(await rowOf()).toEqual(['0', '3', '0'])
  const subscription = used.client.subscribeToPersistentSubscriptionToStream(stream, 'workers')
  subscription.on('data', (event) => subscription.ack(event))
  await expect.poll(rowOf).toEqual(['1', '0', '0'])
  await subscription.unsubscribe()
})

test('stored text is escaped, and only the page’s own scripts may run', async () => {
  const stream = `${newStream()}${evil}`
  await used.client.appendToStream(stream, jsonEvent({ type: evil, data: { [evil]: evil }, metadata: { evil } }))
  for (const path of [
    '',
    browse(stream),
    browse('$all'),
    browse(stream, '&from=0'),
    `?prefix=${encodeURIComponent(evil)}`,
  ]) {
    const { body, headers } = await page(path)
    expect(body).not.toContain('<script>alert')
    expect(body).not.toContain('<img')
    const policy = headers.get('content-security-policy') ?? ''
    const [, nonce = 'none'] = /script-src 'nonce-([^']+)'/.exec(policy) ?? []
    expect(policy).toContain("default-src 'none'")
    const scripts = [...body.matchAll(/<(?:script|style)\b[^>]*/g)].map(([tag]) => tag)
    expect(scripts.every((tag) => tag.includes(`nonce="${nonce}"`))).toBe(true)
    expect(body).not.toMatch(/ on\w+="/)
  }
  expect((await page('')).headers.get('content-security-policy')).not.toBe(
    (await page('')).headers.get('content-security-policy'),
  )
})

test('errors are shown on a page, with their status', async () => {
  const missing = await page(browse(newStream()))
  expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8'])
  expect((await page(browse('$all', '&from=x'))).status).toBe(400)
  expect((await fetch(address(''), { method: 'POST' })).status).toBe(404)
})

describe('with TLS', () => {
  const secure = useSecureStore()
  const get = (
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string; asked: string }> =>
    new Promise((resolve, reject) => {
      const { port, certificate: ca } = secure.store
      const asked = request({ host: 'localhost', port, path, headers, ca, agent: false }, async (response) => {
        let body = ''
        for await (const part of response) body += part
        resolve({ status: response.statusCode ?? 0, body, asked: response.headers['www-authenticate'] ?? '' })
      })
      asked.on('error', reject)
      asked.end()
    })

  test('a browser asks for a name and a password, and access lists apply', async () => {
    const [open, closed] = [newStream('page'), newStream('page')]
    await secure.client.appendToStream(open, added(), as('bob'))
    await secure.client.appendToStream(closed, added(), as('bob'))
    await secure.client.setStreamMetadata(closed, { acl: { readRoles: ['alice'] } }, as('bob'))
    for (const path of ['/', `/${browse(open)}`, `/${browse(open, '&part=events')}`]) {
      const anonymous = await get(path)
      expect([anonymous.status, anonymous.asked]).toEqual([401, expect.stringMatching(/^Basic /)])
      expect(anonymous.body).not.toContain(open)
    }
    const bob = { authorization: authorization('bob') }
    const streams = await get('/', bob)
    expect(streams.body).toContain(open)
    expect(streams.body).not.toContain(closed)
    expect((await get(`/${browse(open)}`, bob)).status).toBe(200)
    expect((await get(`/${browse(closed)}`, bob)).status).toBe(403)
    expect((await get(`/${browse('$all')}`, bob)).status).toBe(403)
    expect((await get(`/${browse('$all')}`, { authorization: authorization('admin') })).body).toContain(closed)
  })
})
