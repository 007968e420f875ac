// What `doctor` looks at: each part that everything else needs, and how to mend it.
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { StoreUnavailable } from '@headwater/eventstore/client/client'
import { formatPosition } from '@headwater/eventstore/position'
import { within } from '@headwater/eventstore/within'
import { connectIssuer } from '@headwater/http-kit/access/issuer-keys'
import { hasJobs, parkedJobCount } from '@headwater/jobs/ledger/job-list'
import { migrations } from '@headwater/postgres/migrate'
import {
  type Facts,
  factsOf,
  type StoreFacts,
  stoppedAt,
  storeFacts,
  wishOf,
} from '@headwater/projections/operate/facts'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Context } from '../command.ts'
import { nameOf } from '../parked/find.ts'
import { reasonOf, shownUrl } from '../refusal.ts'
import { self } from '../self.ts'
import { edgeDirectoryDefault } from '../settings.ts'
import { ago, count, duration, moment } from '../text.ts'
import { rebuildMend } from './followers.ts'

/** What takes longer is as good as away. */
const answerMsMax = 8_000
/** Leases and due times are Postgres' clock's, ages of events those of whoever looks. */
const clockDifferenceMsMax = 2_000
/** Projectors see to wishes twice a second. */
const wishAgeMsMax = 10_000
const lagMsMax = 60_000

export type Finding = {
  readonly check: string
  readonly state: 'ok' | 'wrong' | 'not checked'
  readonly found: string
  /** The command or the setting that mends it. */
  readonly mend?: string
}

export const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found })
export const wrong = (check: string, found: string, mend: string): Finding => ({ check, state: 'wrong', found, mend })
export const unchecked = (check: string, found: string): Finding => ({ check, state: 'not checked', found })

const inTime = <T>(work: Promise<T>): Promise<T> =>
  within(answerMsMax, work, () => new Error(`no answer within ${answerMsMax / 1_000} s`))

/** Reads are of the leader only: whoever is answered has reached it. */
export const checkStore = async ({ store, settings }: Context): Promise<{ finding: Finding; known?: StoreFacts }> => {
  const address = shownUrl(settings.EVENTSTORE_URL)
  try {
    const known = await inTime(storeFacts(store))
    const name = known.id === undefined ? 'has no name yet: nobody has followed it' : `is the store ${known.id}`
    return {
      finding: ok('event store', `${address} answers as leader, ${name}, ends at ${formatPosition(known.head)}`),
      known,
    }
  } catch (error) {
    const mend =
      'Start it, or set EVENTSTORE_URL to where it is; of a cluster, to all nodes: esdb+discover://a:2113,b:2113,c:2113'
    return { finding: wrong('event store', `${address} does not answer: ${reasonOf(error)}`, mend) }
  }
}

const checkMigrations = async ({ pool }: Context): Promise<Finding> => {
  const check = 'migrations'
  const there = await pool.query("select to_regclass('headwater.migrations') is not null as made")
  const mend = 'Start dashboard-projector or jobs of this version: they bring Postgres to its shape.'
  if (!there.rows[0]?.made) return wrong(check, 'The tables were never made.', mend)
  const { rows } = await pool.query<{ name: string }>('select name from headwater.migrations order by name')
  const done = rows.map(({ name }) => name)
  const wanted = Object.keys(migrations)
  const missing = wanted.filter((name) => !done.includes(name))
  const newer = done.filter((name) => !wanted.includes(name))
  if (missing.length > 0) return wrong(check, `Not done: ${missing.join(', ')}`, mend)
  if (newer.length > 0)
    return wrong(check, `A newer version has done ${newer.join(', ')}`, 'Use the tool of the version that is deployed.')
  return ok(check, `all ${wanted.length} are done`)
}

const checkClock = async ({ pool }: Context): Promise<Finding> => {
  const before = Date.now()
  const { rows } = await pool.query<{ now: Date }>('select clock_timestamp() as now')
  const here = (before + Date.now()) / 2
  const difference = Math.abs((rows[0]?.now.getTime() ?? 0) - here)
  const found = `This machine and Postgres differ by ${duration(difference)}`
  if (difference <= clockDifferenceMsMax) return ok('clocks', found)
  return wrong(
    'clocks',
    found,
    'Set both by NTP: ages of events and the times at which jobs are due are wrong until then.',
  )
}

const checkParkedJobs = async ({ pool }: Context): Promise<Finding> => {
  const check = 'parked jobs'
  if (!(await hasJobs(pool))) return unchecked(check, 'The jobs service has never run on this Postgres.')
  const parked = await parkedJobCount(pool)
  if (parked === 0) return ok(check, 'none')
  return wrong(
    check,
    `${count(parked, 'job')} failed for good`,
    `${self} parked list --name jobs, then parked retry <id> or parked skip <id>`,
  )
}

export const checkPostgres = async (context: Context): Promise<{ findings: readonly Finding[]; answers: boolean }> => {
  const { pool, settings } = context
  const address = shownUrl(settings.DATABASE_URL)
  try {
    const { rows } = await inTime(
      pool.query<{ version: string }>("select current_setting('server_version') as version"),
    )
    const findings = await inTime(
      Promise.all([checkMigrations(context), checkClock(context), checkParkedJobs(context)]),
    )
    return { findings: [ok('Postgres', `${address} answers, version ${rows[0]?.version}`), ...findings], answers: true }
  } catch (error) {
    const mend = 'Start it, or set DATABASE_URL to where it is.'
    return { findings: [wrong('Postgres', `${address}: ${reasonOf(error)}`, mend)], answers: false }
  }
}

export const checkEdge = ({ settings: { EDGE_DIRECTORY: directory } }: Context): Finding => {
  const check = 'edge folder'
  // In the containers of some services nothing says where the edge is, and it is not there.
  if (!existsSync(directory) && directory === edgeDirectoryDefault)
    return unchecked(check, 'There is none here, and EDGE_DIRECTORY is not set: run the tool beside edge-projector.')
  if (!existsSync(directory))
    return wrong(
      check,
      `There is no ${directory}.`,
      'Set EDGE_DIRECTORY to the folder of edge-projector, and run the tool beside it.',
    )
  if (!statSync(directory).isDirectory())
    return wrong(check, `${directory} is no folder.`, 'Set EDGE_DIRECTORY to a folder.')
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
    return ok(check, `${directory} can be written`)
  } catch {
    const mend = "Run the tool as the user of edge-projector; its folder must be that user's."
    return wrong(check, `${directory} cannot be written by this user.`, mend)
  }
}

export const checkIssuer = async ({ settings: { OIDC_ISSUER: issuer }, logger }: Context): Promise<Finding> => {
  const check = 'issuer'
  if (issuer === undefined) return unchecked(check, 'OIDC_ISSUER is not set')
  const { trouble } = await connectIssuer(issuer, logger).status()
  if (trouble === undefined) return ok(check, `${issuer} answers`)
  return wrong(check, trouble, 'Start it, or set OIDC_ISSUER to exactly what it calls itself in its tokens.')
}

const behind = ({ name, service }: Follower, { lagMs, isWritten, wishes }: Facts): Finding | undefined => {
  const pause = wishOf({ wishes }, 'pause')
  if (pause)
    return wrong(name, `It is paused by ${pause.by} since ${moment(pause.at)}.`, `${self} projections resume ${name}`)
  if (!isWritten)
    return wrong(name, 'Nobody writes it.', `Start ${service}. If it runs, its /health/ready says why it stopped.`)
  if (lagMs !== undefined && lagMs > lagMsMax)
    return wrong(name, `It is ${duration(lagMs)} behind.`, `The log of ${service} says why, if it is not being built.`)
}

const stopped = ({ name }: Follower, facts: Facts): Finding | undefined => {
  const at = stoppedAt(facts)
  if (!at) return undefined
  const { id } = at.event
  return wrong(
    name,
    `It has stopped at ${nameOf(at)} ${id}: ${at.error}`,
    `${self} parked retry ${id} once it can be projected, or ${self} parked skip ${id} --name ${name} --reason "..."`,
  )
}

const waiting = ({ name }: Follower, { parked }: Facts): Finding | undefined => {
  const events = parked.filter(({ stops }) => !stops)
  if (events.length === 0) return undefined
  const letters = events.filter(({ deadLetter }) => deadLetter !== undefined).length
  const besides = letters > 0 ? `, ${letters} of them not even parked` : ''
  return wrong(
    name,
    `${count(events.length, 'event')} could not be projected${besides}.`,
    `${self} parked list --name ${name}`,
  )
}

const unheard = ({ name, service }: Follower, { wishes }: Facts): Finding | undefined => {
  const old = wishes.find(
    ({ kind, at, progress }) => kind !== 'pause' && !progress && Date.now() - at.getTime() > wishAgeMsMax,
  )
  if (!old) return undefined
  return wrong(
    name,
    `Nobody has seen to the ${old.kind} that ${old.by} wished for ${ago(old.at)}.`,
    `Start ${service}, or look at its log.`,
  )
}

export const checkFollower = async (
  context: Context,
  known: StoreFacts | undefined,
  follower: Follower,
): Promise<readonly Finding[]> => {
  const { name, service, place } = follower
  const facts = await inTime(factsOf(context.store, known, follower)).catch((error: unknown) =>
    error instanceof StoreUnavailable ? error : reasonOf(error),
  )
  if (facts instanceof StoreUnavailable) return [unchecked(name, 'The event store does not answer any more.')]
  if (typeof facts === 'string') {
    const mend = 'The user of DATABASE_URL must be able to read it.'
    const inFile = follower.kind === 'SQLite'
    return [wrong(name, `${place} cannot be read: ${facts}`, inFile ? rebuildMend(follower) : mend)]
  }
  const { checkpoint, unusable, lagMs } = facts
  const wishes = [unheard(follower, facts)]
  if (unusable !== undefined)
    return [wrong(name, unusable, rebuildMend(follower)), ...wishes].filter((one) => one !== undefined)
  if (!checkpoint)
    return [wrong(name, `${place} was never made.`, `Start ${service}.`), ...wishes].filter((one) => one !== undefined)
  const troubles = [stopped(follower, facts) ?? behind(follower, facts), ...wishes, waiting(follower, facts)].filter(
    (one) => one !== undefined,
  )
  const { replacedTexts } = checkpoint
  const replaced =
    replacedTexts > 0
      ? [ok(name, `${count(replacedTexts, 'event')} met with text that no database takes: U+FFFD stands for it`)]
      : []
  if (troubles.length > 0) return [...troubles, ...replaced]
  const lag = lagMs === undefined ? 'its lag is not known' : `${duration(lagMs)} behind`
  return [ok(name, `written, of this store, at ${formatPosition(checkpoint.position)}, ${lag}`), ...replaced]
}
