// `npm run soak -- --minutes 30`: half of the time as much as goes, which fills what has a bound; then half of that is held and
// watched. Exits 1 when memory has grown since, or when files or handles are held that were not held before.
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Part, startSystem } from '@headwater/test-kit/system'
import { createProcesses } from './bench/processes.ts'
import type { ConsentStoreTasks } from './bench/workers/consent-store.ts'
import type { StoreBuilderTasks } from './bench/workers/store-builder.ts'
import { buildWeb } from './build-web.ts'
import { reporting } from './soak/figures.ts'
import { fullRate, holdRate } from './soak/load.ts'
import { invitePeople } from './soak/people.ts'
import { type HeldBy, heldWhenQuiet, type Memory, watchMemory } from './soak/watch.ts'
import { startOwnPostgres } from './test/chaos/own-postgres.ts'

const minutesDefault = 30
const minutesMax = 24 * 60
const growthMax = 0.05
const mebibyte = 1_024 * 1_024
/** After it is counted what is held while nobody asks: every part has made its connections then. */
const firstShare = 1 / 20
const warmUpShare = 9 / 20
/** Of the time at half load, before memory is watched. */
const beginShare = 1 / 20
const unlimited = String(1_000_000_000)
/** So many that what is kept of read models in memory is full from the beginning. */
const [loanCount, patientCount] = [100_000, 100_000]

const { values } = parseArgs({
  // npm takes `--` away, others hand it on.
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: { minutes: { type: 'string', default: String(minutesDefault) } },
})
const minutes = Number(values.minutes)
if (!(minutes >= 1 && minutes <= minutesMax)) {
  process.stderr.write(`--minutes is a number from 1 to ${minutesMax}.\n`)
  process.exit(1)
}

const startedAt = performance.now()
const say = (text: string) =>
  process.stderr.write(`[soak] ${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(5)} s  ${text}\n`)

type Row = readonly string[]
const table = (rows: readonly Row[]): string => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) => row.map((cell, n) => (n === 0 ? cell.padEnd : cell.padStart).call(cell, widths[n] ?? 0)).join('  '))
    .join('\n')
}

const heldText = ({ fewest, most }: HeldBy['files']) => (fewest === most ? String(most) : `${fewest} to ${most}`)

type Figures = { readonly memory: Memory; readonly before: HeldBy; readonly after: HeldBy }

const growthOf = ({ first, last }: Memory): number => last / first - 1

const missedBy = ({ memory, before, after }: Figures): readonly string[] => [
  ...(growthOf(memory) < growthMax ? [] : ['memory']),
  ...(after.files.fewest <= before.files.most ? [] : ['files']),
  ...(after.handles.fewest <= before.handles.most ? [] : ['handles']),
]

const rowOf = (name: string, figures: Figures): Row => {
  const { memory, before, after } = figures
  const missed = missedBy(figures)
  return [
    name,
    `${Math.round(memory.first / mebibyte)}`,
    `${Math.round(memory.last / mebibyte)}`,
    `${(growthOf(memory) * 100).toFixed(1)} %`,
    heldText(before.files),
    heldText(after.files),
    heldText(before.handles),
    heldText(after.handles),
    missed.length === 0 ? 'ok' : `MISSED: ${missed.join(', ')}`,
  ]
}

const fill = async (directory: string): Promise<void> => {
  say(`making ${loanCount} loans and ${patientCount} patients' consents`)
  const processes = createProcesses()
  const loans = processes.worker<StoreBuilderTasks>('workers/store-builder.ts')
  await loans.call('fillLoans', { directory, loans: loanCount })
  await loans.stop()
  const consents = processes.worker<ConsentStoreTasks>('workers/consent-store.ts')
  await consents.call('fill', { directory, patients: patientCount, histories: [] })
  await consents.stop()
}

const soak = async (): Promise<boolean> => {
  const directory = path.resolve(import.meta.dirname, '../.data/test', randomUUID())
  const reportsOf = (part: string) => path.join(directory, 'reports', part.replaceAll(' ', '-'))
  buildWeb()
  const system = await startSystem({
    directory: path.join(directory, 'system'),
    database: await startOwnPostgres(directory),
    fill,
    settingsOf: (part) => ({ ...reporting(reportsOf(part)), PARTNER_LIMIT_PER_MINUTE: unlimited }),
  })
  const { eventstore, sandbox, loans, consent, projector, dashboardProjector, jobs, web, gateway } = system
  const parts: readonly Part[] = [
    eventstore,
    sandbox,
    ...loans,
    consent,
    projector,
    dashboardProjector,
    jobs,
    web,
    gateway,
  ]
  const people = await invitePeople(system)
  try {
    const inMs = (share: number) => minutes * 60_000 * share
    say(`as much as goes, for ${(minutes * firstShare).toFixed(1)} minutes`)
    await fullRate(people.act, inMs(firstShare))
    say('waiting until nobody asks any more')
    const before = await heldWhenQuiet(parts, reportsOf)
    // No rest from here on: a process gives memory back while it rests, and takes it again afterwards.
    say(`as much as goes, for ${(minutes * warmUpShare).toFixed(1)} minutes`)
    const full = await fullRate(people.act, inMs(warmUpShare))
    say(`${full.toFixed(0)} actions a second; holding half of it`)
    await holdRate(people.act, full / 2, inMs(beginShare))
    const memoryOf = watchMemory(parts)
    const held = await holdRate(people.act, full / 2, inMs(1 - firstShare - warmUpShare - beginShare))
    const memory = memoryOf()
    say('waiting until nobody asks any more')
    const after = await heldWhenQuiet(parts, reportsOf)

    const figures = parts.map(({ name }): readonly [string, Figures] => {
      const all = [memory.get(name), before.get(name), after.get(name)] as const
      const [one, two, three] = all
      if (!one || !two || !three) throw new Error(`${name} was not watched.`)
      return [name, { memory: one, before: two, after: three }]
    })
    const { done, failures } = held
    const head = ['process', 'MiB', 'MiB at the end', 'growth', 'files', 'after', 'handles', 'after', '']
    process.stdout.write(
      `\n${full.toFixed(0)} actions a second at most; half of it: ${done} actions, ${failures.length} failed\n${table([head, ...figures.map(([name, each]) => rowOf(name, each))])}\n`,
    )
    for (const failure of failures) process.stdout.write(`failed: ${failure}\n`)
    return failures.length === 0 && figures.every(([, each]) => missedBy(each).length === 0)
  } finally {
    await people.leave()
    await system.stop()
  }
}

process.exit((await soak()) ? 0 : 1)
