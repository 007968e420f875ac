// `npm run bench`: measures, prints one table, writes docs/benchmarks.md.
// Options after `--`: `--quick` (small sizes, to try it), `--only <name>` (one measure; again for another), `--case <text>` (only
// cases that say this, where a measure can skip others), `--rounds <number>`, `--profile` (where the time goes, whatever the goals).
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Postgres, startPostgres } from '@headwater/test-kit/local-postgres'
import { Client } from 'pg'
import { describeRun } from './machine.ts'
import { type Bench, type Measure, verdictOn } from './measure.ts'
import { commands } from './measures/commands.ts'
import { consents } from './measures/consents.ts'
import { decisions } from './measures/decisions.ts'
import { follow } from './measures/follow.ts'
import { http } from './measures/http.ts'
import { jobs } from './measures/jobs.ts'
import { live } from './measures/live.ts'
import { node } from './measures/node.ts'
import { pixel } from './measures/pixel.ts'
import { projections } from './measures/projections.ts'
import { rebuilding } from './measures/rebuild.ts'
import { size } from './measures/size.ts'
import { tokens } from './measures/tokens.ts'
import { installPeers } from './peers.ts'
import { createProcesses } from './processes.ts'
import { summariseProfiles } from './profile.ts'
import { type Measured, markdown, notesOn, terminalTable } from './report.ts'

const roundsDefault = 3
const measures: readonly Measure[] = [
  decisions,
  commands,
  projections,
  follow,
  jobs,
  live,
  pixel,
  http,
  tokens,
  consents,
  rebuilding,
  node,
  size,
]

const root = path.join(import.meta.dirname, '../..')
const reportFile = path.join(root, 'docs/benchmarks.md')
const directory = path.join(root, '.data/bench', String(process.pid))

const { values: options } = parseArgs({
  // npm takes `--` away, others hand it on.
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    case: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: String(roundsDefault) },
  },
})
const unknown = options.only.filter((name) => !measures.some((measure) => measure.name === name))
if (unknown.length > 0 || !(Number(options.rounds) >= 1)) {
  process.stderr.write(
    `--only takes ${measures.map(({ name }) => name).join(', ')}, several times if wanted; --rounds a number from 1 on\n`,
  )
  process.exit(1)
}

const startedAt = performance.now()
const say = (text: string) =>
  process.stderr.write(`[bench] ${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(4)} s  ${text}\n`)

let postgres: Promise<Postgres> | undefined
let databases = 0
const newDatabase = async (): Promise<string> => {
  // Where a user other than root can reach it too; see packages/test-kit/src/local-postgres.ts.
  postgres ??= startPostgres({ dataDir: path.join(directory, 'postgres'), port: 0, durable: true })
  const { url } = await postgres
  const name = `bench${++databases}`
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
  return new URL(`/${name}`, url).href
}

let missing: { readonly reason: string | undefined } | undefined
const peersMissing = () => {
  missing ??= { reason: installPeers(say) }
  return missing.reason
}

const scratch = (name: string): string => {
  const folder = path.join(directory, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

type Scope = { readonly rounds: number; readonly wanted: Bench['wanted']; readonly profiles?: string }

const run = async (measure: Measure, { rounds, wanted, profiles }: Scope) => {
  const processes = createProcesses(profiles)
  const bench: Bench = {
    wanted,
    beside: profiles === undefined,
    quick: options.quick,
    rounds,
    processes,
    directory: scratch(measure.name),
    newDatabase,
    peersMissing,
    say: (text) => say(`${measure.name}: ${text}`),
  }
  try {
    return await measure.run(bench)
  } finally {
    await processes.stopAll()
  }
}

const measured = async (measure: Measure): Promise<Measured> => {
  try {
    const chosen = (what: string) => options.case === undefined || what.includes(options.case)
    const results = await run(measure, { rounds: Number(options.rounds), wanted: chosen })
    const missed = new Set(results.filter((result) => verdictOn(result) === 'MISSED').map(({ what }) => what))
    if (missed.size === 0 && !options.profile) return { measure, results }
    say(`${measure.name}: ${missed.size > 0 ? 'a goal was missed; ' : ''}once more, with profiles`)
    const profiles = scratch('profiles')
    await run(measure, { rounds: 1, wanted: (what) => (options.profile ? chosen(what) : missed.has(what)), profiles })
    return { measure, results, profile: summariseProfiles(profiles) }
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error)
    say(`${measure.name}: ${failure}`)
    return { measure, results: [], failure }
  }
}

const stop = async () => {
  await (await postgres)?.stop()
  rmSync(directory, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stop().finally(() => process.exit(1)))

peersMissing()
/** Folders of runs that were killed. */
const removeLeftBehind = () => {
  mkdirSync(directory, { recursive: true })
  for (const name of readdirSync(path.dirname(directory)))
    if (existsSync('/proc/self') && !existsSync(path.join('/proc', name)))
      rmSync(path.join(path.dirname(directory), name), { recursive: true })
}

removeLeftBehind()
const facts = describeRun(directory)
const chosen = measures.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
const all: Measured[] = []
for (const measure of chosen) all.push(await measured(measure))
await stop()

process.stdout.write(
  `${Object.entries(facts)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')}\nmin / median / max of ${options.rounds} rounds\n\n${terminalTable(all)}\n\n`,
)
for (const { measure, results, failure, profile } of all) {
  for (const note of notesOn(results)) process.stdout.write(`- ${note}\n`)
  if (failure !== undefined) process.stdout.write(`\n${measure.name} was not measured: ${failure}\n`)
  if (profile) process.stdout.write(`\n${measure.name}: where the time went:\n${profile.join('\n')}\n`)
}
const whole = chosen.length === measures.length && !options.quick && options.case === undefined
if (whole) writeFileSync(reportFile, markdown(facts, all))
say(whole ? `written to ${path.relative(root, reportFile)}` : 'docs/benchmarks.md is written by a whole run only')
// What a measure that failed has left open must not keep the process.
process.exit(all.some(({ failure }) => failure !== undefined) ? 1 : 0)
