// A node with TLS and users, clients that sign in to it, and requests by programs that need the certificate.
import { EventStoreDBClient } from '@eventstore/db-client'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll } from 'vitest'
import { type EmbeddedEventStore, start } from '../src/start.ts'

const people = {
  admin: ['$admins'],
  ops: ['$ops'],
  alice: ['writers'],
  bob: [],
} as const
export type Person = keyof typeof people

const passwordOf = (person: Person): string => `${person}'s: häß`
export const as = (person: Person) => ({ credentials: { username: person, password: passwordOf(person) } })
export const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
export const authorization = (person: Person): string => basic(person, passwordOf(person))

const users = Object.entries(people).map(([name, groups]) => ({ name, groups, password: passwordOf(name as Person) }))

export const useSecureStore = () => {
  const used = {} as {
    store: EmbeddedEventStore
    /** Anonymous unless a call has credentials. */
    client: EventStoreDBClient
    raw: Client
    clientOf: (person: Person) => EventStoreDBClient
  }
  const clients: EventStoreDBClient[] = []
  beforeAll(async () => {
    used.store = await start({ memory: true, tlsSelfSigned: true, users })
    const rootCertificate = Buffer.from(used.store.certificate ?? '')
    const endpoint = { address: 'localhost', port: used.store.port }
    const connect = (...person: Person[]): EventStoreDBClient => {
      const [signedIn] = person.map((name) => as(name).credentials)
      const client = new EventStoreDBClient({ endpoint }, { rootCertificate }, signedIn)
      clients.push(client)
      return client
    }
    used.client = connect()
    used.clientOf = connect
    used.raw = new Client(`localhost:${used.store.port}`, credentials.createSsl(rootCertificate))
  })
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.dispose()))
    used.raw.close()
    await used.store.stop()
  })
  return used
}

export const metadataOf = (value: string | undefined): Metadata => {
  const metadata = new Metadata()
  if (value !== undefined) metadata.set('authorization', value)
  return metadata
}
