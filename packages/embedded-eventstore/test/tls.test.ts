// TLS, sign-in over TLS, and options that are refused before the node listens.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { EventStoreDBClient } from '@eventstore/db-client'
import { freePort } from '@headwater/test-kit/free-port'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readCommand } from '../src/command-line.ts'
import type { Options } from '../src/options.ts'
import { makeCertificate } from '../src/security/self-signed.ts'
import { hashPassword, parseUsers } from '../src/security/users.ts'
import { start } from '../src/start.ts'
import { added, collect, newStream } from './helpers.ts'
import { authorization, basic, useSecureStore } from './security.ts'

const used = useSecureStore()
let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'embedded-eventstore-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

type Got = { status: number | undefined; headers: NodeJS.Dict<string | string[]>; body: string }
const https = (path: string, headers: Record<string, string> = {}, body?: string): Promise<Got> =>
  new Promise((resolve, reject) => {
    const { port, certificate: ca } = used.store
    const method = body === undefined ? 'GET' : 'POST'
    const asked = request({ host: 'localhost', port, path, method, headers, ca, agent: false }, async (response) => {
      let text = ''
      for await (const part of response) text += part
      resolve({ status: response.statusCode, headers: response.headers, body: text })
    })
    asked.on('error', reject)
    asked.end(body)
  })

test('a program with only a connection string and a CA file can connect by gossip, before and after a restart', async () => {
  const users = [{ name: 'admin', password: 'changeit', groups: ['$admins'] }]
  const port = await freePort()
  const before = await start({ directory, tlsSelfSigned: true, users, port })
  const address = before.connectionString.replace('esdb://', 'esdb+discover://admin:changeit@')
  const client = EventStoreDBClient.connectionString(address)
  const stream = newStream()
  await client.appendToStream(stream, added())
  await client.dispose()
  await before.stop()

  const after = await start({ directory, tlsSelfSigned: true, users, port })
  expect(after.certificate).toBe(before.certificate)
  const again = EventStoreDBClient.connectionString(address)
  expect(await collect(again.readStream(stream))).toHaveLength(1)
  await again.dispose()
  await after.stop()
  expect((await stat(join(directory, 'tls-key.pem'))).mode & 0o777).toBe(0o600)
})

test('a self-signed certificate without the advertised host is renewed, and a given one is served', async () => {
  const users = [{ name: 'a', password: 'b' }]
  const first = await start({ directory, tlsSelfSigned: true, users })
  await first.stop()
  const named = await start({ directory, tlsSelfSigned: true, users, advertiseHost: 'events.example' })
  await named.stop()
  expect(named.certificate).not.toBe(first.certificate)
  // As after a crash between the two files.
  await writeFile(join(directory, 'tls-key.pem'), makeCertificate(['localhost']).key)
  const again = await start({ directory, tlsSelfSigned: true, users, advertiseHost: 'events.example' })
  await again.stop()
  expect(again.certificate).not.toBe(named.certificate)

  const files = { tlsCertificate: join(directory, 'tls-certificate.pem'), tlsKey: join(directory, 'tls-key.pem') }
  const given = await start({ memory: true, ...files, users, host: '0.0.0.0' })
  expect(given.certificate).toBe(again.certificate)
  await given.stop()
})

test('HTTPS on the same port works with and without ALPN, with Basic credentials and access lists', async () => {
  expect(await https('/ping')).toMatchObject({ status: 200 })
  expect(JSON.parse((await https('/info')).body)).toMatchObject({ authentication: { type: 'internal' } })
  const stream = newStream()
  const posted = (user: Record<string, string>, name = stream) =>
    https(`/streams/${name}`, { 'es-eventtype': 'Added', 'content-type': 'application/json', ...user }, '{}')
  const bob = { authorization: authorization('bob') }

  const anonymous = await posted({})
  expect(anonymous.status).toBe(401)
  expect(anonymous.headers['www-authenticate']).toMatch(/^Basic /)
  expect((await posted({ authorization: basic('bob', 'wrong') })).status).toBe(401)
  expect((await posted(bob)).status).toBe(201)
  expect((await https(`/streams/${stream}`, bob)).status).toBe(200)
  expect((await https(`/streams/${stream}/0`)).status).toBe(401)
  expect((await posted(bob, '$system')).status).toBe(403)
  expect((await https('/streams/$all', bob)).status).toBe(403)
  expect((await https('/streams/$all', { authorization: authorization('admin') })).status).toBe(200)
})

test('ALPN decides the protocol, and connections without TLS or with another protocol inside are ended', async () => {
  const { port, certificate: ca } = used.store
  const plain = connectPlain(port, 'localhost')
  plain.on('error', () => {})
  plain.write('GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(plain, 'close')

  const agreedOf = async (ALPNProtocols: string[]): Promise<string | false | null> => {
    const socket = connect({ port, host: 'localhost', ca, ALPNProtocols })
    await once(socket, 'secureConnect')
    socket.destroy()
    return socket.alpnProtocol
  }
  expect(await agreedOf(['h2'])).toBe('h2')
  expect(await agreedOf(['h2', 'http/1.1'])).toBe('http/1.1')
  await expect(agreedOf(['h3'])).rejects.toThrow()

  const inside = connect({ port, host: 'localhost', ca, ALPNProtocols: ['http/1.1'] })
  inside.write('nonsense\r\n\r\n')
  const [answer] = await once(inside, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 400/)
  // HTTP/2 over TLS without ALPN is refused.
  const unagreed = connect({ port, host: 'localhost', ca })
  unagreed.on('error', () => {})
  unagreed.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  unagreed.resume()
  await once(unagreed, 'close')
  expect((await https('/ping')).status).toBe(200)
})

describe('an invalid combination of options is refused with the option to set:', () => {
  const users = [{ name: 'a', password: 'secret-word' }]
  const cases: [string, Options, RegExp][] = [
    ['TLS without users', { tlsSelfSigned: true }, /there are no users: set EMBEDDED_EVENTSTORE_USERS/],
    ['users without TLS', { users }, /Users need TLS/],
    ['an address of the network without TLS', { host: '0.0.0.0' }, /"0\.0\.0\.0" is refused/],
    ['a certificate without its key', { users, tlsCertificate: 'x' }, /set both, or neither/],
    ['a key without its certificate', { users, tlsKey: 'x' }, /set both, or neither/],
    ['two kinds of certificate', { users, tlsCertificate: 'x', tlsKey: 'x', tlsSelfSigned: true }, /not both/],
    [
      'a missing file',
      { users, tlsCertificate: '/nowhere.pem', tlsKey: 'x' },
      /certificate cannot be read.*nowhere\.pem/,
    ],
    ['users twice', { users, usersFile: 'x', tlsSelfSigned: true }, /not both/],
    ['a missing users file', { usersFile: '/nowhere.json', tlsSelfSigned: true }, /users file cannot be read.*nowhere/],
    ['no user', { users: [], tlsSelfSigned: true }, /list of users/],
    ['the same name', { users: [...users, ...users], tlsSelfSigned: true }, /"a" is there twice/],
  ]
  test.each(cases)('%s', async (_, options, message) => {
    await expect(start({ memory: true, ...options })).rejects.toThrow(message)
  })

  test('files that are no certificate and key, or do not match', async () => {
    const [one, other] = [makeCertificate(['localhost']), makeCertificate(['localhost'])]
    const tlsCertificate = join(directory, 'c.pem')
    const tlsKey = join(directory, 'k.pem')
    for (const [certificate, key] of [
      [one.certificate, other.key],
      ['x', one.key],
      [one.certificate, 'x'],
    ] as const) {
      await writeFile(tlsCertificate, certificate)
      await writeFile(tlsKey, key)
      await expect(start({ memory: true, tlsCertificate, tlsKey, users })).rejects.toThrow(/c\.pem and .*k\.pem are no/)
    }
  })

  test('invalid users, without showing passwords', () => {
    const said = [
      '{',
      '{"name":"a","password":"secret-word"}',
      '[{"name":"","password":"secret-word"}]',
      '[{"name":"a:b","password":"secret-word"}]',
      '[{"name":"a","password":"secret-word","passwordHash":"secret-word"}]',
      '[{"name":"a"}]',
      '[{"name":"a","passwordHash":"secret-word"}]',
      '[{"name":"a","password":"secret-word","groups":"$admins"}]',
      '[{"name":"a","password":"secret-word","role":"x"}]',
      '[null]',
    ]
    for (const json of said) {
      expect(() => parseUsers(json, 'users.json')).toThrow(/users\.json/)
      expect(() => parseUsers(json, 'users.json')).not.toThrow(/secret-word/)
    }
  })
})

test('a users file must hold hashes instead of passwords', async () => {
  const usersFile = join(directory, 'users.json')
  const passwordHash = await hashPassword('right')
  expect(passwordHash).not.toContain('right')
  await writeFile(usersFile, JSON.stringify([{ name: 'carol', passwordHash, groups: ['$admins'] }]))
  const store = await start({ directory, tlsSelfSigned: true, usersFile })
  const [scheme, rest] = store.connectionString.split('//')
  const client = EventStoreDBClient.connectionString(`${scheme}//carol:right@${rest}`)
  await client.appendToStream('$x', added())
  await client.dispose()
  await store.stop()
  await writeFile(usersFile, '[{"name":"carol","password":"right"}]')
  await expect(start({ directory, tlsSelfSigned: true, usersFile })).rejects.toThrow(
    /passwordHash \(command hash-password/,
  )
})

describe('the command line', () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const run = async (args: string[], env: NodeJS.ProcessEnv = {}, input = '') => {
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env }, cwd: directory })
    let [out, err] = ['', '']
    child.stdout.on('data', (part) => {
      out += part
      // It has started.
      if (out.includes('"listening"')) child.kill('SIGTERM')
    })
    child.stderr.on('data', (part) => (err += part))
    child.stdin.end(input)
    const [code] = await once(child, 'close')
    return { code, out, err }
  }
  const environment = {
    EMBEDDED_EVENTSTORE_PORT: '0',
    EMBEDDED_EVENTSTORE_MEMORY: 'true',
    EMBEDDED_EVENTSTORE_TLS_SELF_SIGNED: 'true',
    EMBEDDED_EVENTSTORE_USERS: '[{"name":"admin","password":"secret-word","groups":["$admins"]}]',
  }

  test('serves with TLS from environment variables only, and shows no password', async () => {
    const { code, out, err } = await run([], environment)
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({ listening: true, connectionString: expect.stringContaining('tls=true') })
    expect(out).not.toContain('secret-word')
  })

  test('prints a hash for a users file by hash-password', async () => {
    const { code, out } = await run(['hash-password'], {}, 'right\n')
    expect(code).toBe(0)
    expect(parseUsers(JSON.stringify([{ name: 'a', passwordHash: out.trim() }]), 'here')).toHaveLength(1)
  })

  const refused: [string[], NodeJS.ProcessEnv, RegExp][] = [
    [['--port', 'x'], {}, /port: "x" is not a port number/],
    [['--port', '65536'], {}, /not a port number/],
    [['--advertise-port', '-1'], {}, /advertise-port/],
    [['sing'], {}, /what to do about "sing"/],
    [['backup'], {}, /backup and --to go together/],
    [['--tls-key', 'k.pem'], {}, /set both, or neither/],
    [[], { EMBEDDED_EVENTSTORE_MEMORY: 'yes' }, /EMBEDDED_EVENTSTORE_MEMORY: "yes" is neither true nor false/],
    [[], { ...environment, EMBEDDED_EVENTSTORE_USERS: '[secret-word' }, /EMBEDDED_EVENTSTORE_USERS is not JSON/],
  ]
  test.each(refused)('%j with %j is refused', async (args, env, message) => {
    const starting = async () => {
      const command = readCommand(args, env)
      if (command.kind === 'serve') await start(command.options)
    }
    const said = await starting().then(String, (error: unknown) => (error as Error).message)
    expect(said).toMatch(message)
    expect(said).not.toContain('secret-word')
  })

  test.each([
    [['--nonsense'], /--nonsense(.|\n)*Try --help/],
    [['--memory', '--tls-certificate', 'c.pem', '--tls-key', 'k.pem'], /certificate cannot be read.*c\.pem/],
  ])('%j prints the error without a stack and exits with 1', async (args, message) => {
    const { code, err } = await run(args)
    expect(err).toMatch(message)
    expect(err).not.toMatch(/\n\s+at /)
    expect(code).toBe(1)
  })
})

test('without passwords, pages of other origins cannot read events through a rebound host name', async () => {
  const open = await start({ memory: true, advertiseHost: 'events.example' })
  const statusFor = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const socket = connectPlain(open.port, '127.0.0.1')
      socket.on('error', reject)
      socket.once('data', (part) => {
        socket.destroy()
        resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(String(part))?.[1]))
      })
      socket.write(`GET /streams/$all HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    })
  for (const host of ['localhost:2113', '127.0.0.1', '[::1]:2113', 'events.example']) {
    expect(await statusFor(host)).toBe(200)
  }
  expect(await statusFor('attacker.example:2113')).toBe(421)
  await open.stop()
})
