// The system that is broken: every service, two of each of which one works at a time, with lines to the stores that can be cut.
import { randomUUID } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { openPool } from '@headwater/postgres/pool'
import { type Line, startLine } from '@headwater/test-kit/line'
import { type Part, type System, startSystem, underwriter } from '@headwater/test-kit/system'
import type { Pool } from 'pg'
import pino, { type Logger } from 'pino'
import { type MailSink, startMailSink } from '../../../services/sandbox/src/mail-sink.ts'
import { type OwnPostgres, startOwnPostgres } from './own-postgres.ts'
import { startPartner, type WebhookReceiver } from './partner.ts'
import { startTally, type Tally } from './tally.ts'

const directConnectionsMax = 4
const hour = 3_600
const clocksJumpHoursMax = 12
const root = path.resolve(import.meta.dirname, '../../..')

type Headers = Readonly<Record<string, string>>

export type World = {
  readonly system: System
  /** All that a fault may befall, in front of the stores. */
  readonly services: readonly Part[]
  readonly postgres: OwnPostgres
  /** By who is connected to what: `jobs to Postgres`. */
  readonly lines: ReadonlyMap<string, Line>
  /** The gateway as viewers reach it: over a line. */
  readonly viewersUrl: string
  /** So many seconds off is the service's wall clock from now on. */
  readonly setClock: (part: Part, seconds: number) => void
  /** Past the lines, for who checks. */
  readonly store: EventStore
  readonly database: Pool
  readonly mails: MailSink['mails']
  readonly webhooks: WebhookReceiver
  readonly tally: Tally
  readonly logger: Logger
  /** Tokens that are good for as long as clocks may be off. */
  readonly asUnderwriter: Headers
  readonly asHospital: Headers
  readonly asPartner: Headers
  readonly asPerson: (sub: string, roles?: readonly string[]) => Promise<Headers>
  readonly asApplicantOf: (loanId: string) => Promise<Headers>
  readonly stop: () => Promise<void>
}

export const viewersLine = 'viewers to the gateway'
const storeNames: Readonly<Record<string, string>> = { 'esdb:': 'the event store', 'postgres:': 'Postgres' }

export const startWorld = async (): Promise<World> => {
  const directory = path.join(root, '.data', 'test', randomUUID())
  mkdirSync(directory, { recursive: true })
  const logger = pino({ level: 'silent' })
  const lines = new Map<string, Line>()
  const postgres = await startOwnPostgres(directory)
  const mailSink = await startMailSink({ host: '127.0.0.1', port: 0, logger })
  const mailLine = await startLine(mailSink.port)
  lines.set('jobs to the mail server', mailLine)

  const clockFile = (name: string) => path.join(directory, `clock of ${name}`)
  const system = await startSystem({
    loanReplicas: 2,
    standBys: true,
    without: ['web'],
    database: postgres,
    wayTo: async (part, address) => {
      const { protocol, port } = new URL(address)
      const line = await startLine(Number(port))
      lines.set(`${part} to ${storeNames[protocol]}`, line)
      return address.replace(`:${port}`, `:${line.port}`)
    },
    settingsOf: (part) => ({
      // Everybody is told the time by a clock that can be set, but who writes down when things happened.
      ...(part !== 'eventstore' && {
        NODE_OPTIONS: `--import ${pathToFileURL(path.join(import.meta.dirname, 'shifted-clock.ts'))}`,
        CLOCK_SHIFT_FILE: clockFile(part),
      }),
      ...(part.startsWith('jobs') && { SMTP_URL: `smtp://127.0.0.1:${mailLine.port}` }),
      PARTNER_LIMIT_PER_MINUTE: '1000000',
    }),
  })
  const { issuer, gateway } = system
  const viewers = await startLine(Number(new URL(gateway.url).port))
  lines.set(viewersLine, viewers)

  const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` })
  const seconds = Math.floor(Date.now() / 1_000)
  const claims = { iat: seconds - clocksJumpHoursMax * hour, exp: seconds + 7 * 24 * hour }
  const asPerson: World['asPerson'] = async (sub, roles = []) => bearer(await issuer.tokenOf({ sub, roles, claims }))
  const asClient = async (sub: string, scopes: readonly string[]) =>
    bearer(await issuer.tokenOf({ sub, clientId: sub, scopes, claims }))
  const asPartner = await asClient('shop', ['loans:write', 'loans:read'])
  const webhooks = await startPartner('shop', gateway.url, await asPerson('otto', ['operator']))
  const store = connectEventStore({ url: system.eventstoreUrl, logger })
  const database = openPool(postgres.url, directConnectionsMax, logger)
  const { sandbox, loans, consent, projector, dashboardProjector, jobs, standBys } = system

  return {
    system,
    services: [sandbox, ...loans, consent, projector, dashboardProjector, jobs, ...standBys, gateway],
    postgres,
    lines,
    viewersUrl: `http://127.0.0.1:${viewers.port}`,
    setClock: ({ name }, shift) => {
      // Never half written: it is read at any moment.
      writeFileSync(`${clockFile(name)} next`, String(shift))
      renameSync(`${clockFile(name)} next`, clockFile(name))
    },
    store,
    database,
    mails: mailSink.mails,
    webhooks,
    tally: startTally(),
    logger,
    asUnderwriter: await asPerson(underwriter, ['underwriter']),
    asHospital: await asClient('hospital', ['consents:check']),
    asPartner,
    asPerson,
    asApplicantOf: async (loanId) => bearer(await issuer.capabilityOf(loanId, { claims })),
    stop: async () => {
      await store.close()
      await database.end()
      // Last of all what the others need to end in order.
      await system.stop()
      await webhooks.stop()
      await mailSink.close()
      for (const line of lines.values()) await line.close()
    },
  }
}
