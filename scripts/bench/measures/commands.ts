// Commands a second through `handleCommand`, beside Emmett on PostgreSQL and on SQLite.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { ContenderTasks, Filling, Load } from '../load.ts'
import type { Bench, Goal, Measure, Result } from '../measure.ts'
import type { Worker } from '../processes.ts'

const roundMs = 1_500
const quickRoundMs = 300
const longStreamEvents = 1_000
const longStreams = 32
const warmStreams = 500

type Contender = {
  readonly name: string
  /** More at once make most commands fail. */
  readonly inFlightMax: number
  readonly run: (load: Load) => Promise<number>
  /** Makes the streams, where there is no trouble yet. */
  readonly fill: (filling: Filling) => Promise<void>
  /** What went wrong since this was last asked. */
  readonly takeTrouble: () => string | undefined
}

const firstLine = (text: string): string => text.split('\n')[0] ?? ''

const troubles = (...all: readonly (string | undefined)[]): string | undefined =>
  all.filter((text) => text !== undefined).join('; then ') || undefined

/** A contender that may crash: it is started again for the next load, and the crash is told. */
const contender = (
  name: string,
  open: () => Promise<Worker<ContenderTasks>>,
  inFlightMax = Number.POSITIVE_INFINITY,
): Contender => {
  let worker: Promise<Worker<ContenderTasks>> | undefined
  let trouble: string | undefined
  const fail = async (error: unknown) => {
    trouble = firstLine(error instanceof Error ? error.message : String(error))
    const failed = worker
    worker = undefined
    await (await failed?.catch(() => undefined))?.kill()
  }
  return {
    name,
    inFlightMax,
    run: async (load) => {
      try {
        worker ??= open()
        const { perSecond, done, failed, failure } = await (await worker).call('run', load)
        if (failed > 0) trouble = `${failed} of ${done + failed} commands failed: ${firstLine(failure ?? '')}`
        return perSecond
      } catch (error) {
        await fail(error)
        return 0
      }
    },
    fill: async (filling) => {
      try {
        worker ??= open()
        await (await worker).call('fill', filling)
      } catch (error) {
        await fail(error)
      }
    },
    takeTrouble: () => {
      const told = trouble
      trouble = undefined
      return told
    },
  }
}

const headwater = async ({ processes, directory }: Bench): Promise<Contender> => {
  const { url } = await processes.eventStore(path.join(directory, 'commands'))
  return contender('Headwater', async () => {
    const worker = processes.worker<ContenderTasks>('workers/headwater.ts')
    await worker.call('open', { url })
    return worker
  })
}

const emmett = (bench: Bench, name: string, url: string, inFlightMax?: number): Contender =>
  contender(
    name,
    async () => {
      const missing = bench.peersMissing()
      if (missing !== undefined) throw new Error(missing)
      const worker = bench.processes.worker<ContenderTasks>('peers/emmett.ts')
      await worker.call('open', { url })
      return worker
    },
    inFlightMax,
  )

type Workload = {
  readonly what: string
  readonly load: Omit<Load, 'durationMs'>
  readonly eventsEach: number
  /** Against Emmett on PostgreSQL. */
  readonly goal?: Goal
  readonly note?: string
  readonly missedBecause?: string
}

const atLeast = (ratio: number): Goal => ({ of: 'ratio', atLeast: ratio })

const long = (memory: Load['memory'], inFlight: number): Workload => ({
  what: `a stream of ${longStreamEvents} events, ${memory} memory, ${inFlight} in flight`,
  load: { kind: 'deposit', prefix: `long-${memory}-${inFlight}`, streams: longStreams, inFlight, memory },
  eventsEach: longStreamEvents,
  goal: atLeast(memory === 'warm' ? 15 : inFlight === 1 ? 1 : 1.5),
  ...(inFlight === 1 && memory === 'warm'
    ? {
        missedBecause:
          'one command at a time pays for a round trip and a wait for the disk of its own, which no memory can save; with several in flight appends share the wait.',
      }
    : {}),
  note:
    memory === 'warm'
      ? 'Headwater holds the folded state; Emmett reads the stream for every command.'
      : 'Headwater reads the newest snapshot and up to 100 events after it, Emmett the whole stream.',
})

const workloads: readonly Workload[] = [
  {
    what: 'new streams, 16 in flight',
    load: { kind: 'new', prefix: '', streams: 0, inFlight: 16, memory: 'cold' },
    eventsEach: 0,
    goal: atLeast(2),
    note: 'A loan request: three events in one append.',
    missedBecause:
      'what is left is mostly the official client, which encodes every event in JavaScript, and the event store, which waits for the disk; on few cores they also wait for each other.',
  },
  {
    what: 'warm streams, 16 in flight',
    load: { kind: 'deposit', prefix: 'warm', streams: warmStreams, inFlight: 16, memory: 'warm' },
    eventsEach: 3,
  },
  {
    what: 'one hot stream, 8 writers',
    load: { kind: 'deposit', prefix: 'hot', streams: 1, inFlight: 8, memory: 'warm' },
    eventsEach: 3,
    goal: atLeast(10),
    note: 'Emmett tries again until it succeeds (its default gives up after three tries).',
  },
  long('warm', 1),
  long('warm', 16),
  long('cold', 1),
  long('cold', 16),
]

const measureOne = async (
  { quick, rounds, say }: Bench,
  contenders: readonly Contender[],
  { what, load, eventsEach, goal, note, missedBecause }: Workload,
): Promise<readonly Result[]> => {
  say(what)
  const streams = quick ? Math.min(load.streams, 8) : load.streams
  const durationMs = quick ? quickRoundMs : roundMs
  const sized = { ...load, streams, durationMs }
  if (streams > 0) for (const { fill } of contenders) await fill({ prefix: load.prefix, streams, eventsEach })
  // Unmeasured, for the compiler and the caches of all.
  for (const { run } of contenders) await run({ ...sized, durationMs: durationMs / 3 })
  const troubleAt = new Map(contenders.map(({ name, takeTrouble }) => [name, takeTrouble()]))
  const figures = contenders.map(() => [] as number[])
  for (let round = 0; round < rounds; round++)
    for (const [n, { run, inFlightMax }] of contenders.entries())
      figures[n]?.push(await run({ ...sized, inFlight: Math.min(sized.inFlight, inFlightMax) }))
  const [ours = [], ...others] = figures
  const [us, ...them] = contenders
  const trouble = us?.takeTrouble()
  return them.map(({ name, inFlightMax, takeTrouble }, n) => {
    const fewer = load.inFlight > inFlightMax
    const failed = fewer ? `with ${load.inFlight} in flight ${troubleAt.get(name) ?? 'all went well'}` : undefined
    return {
      what,
      unit: 'commands/s',
      ours,
      beside: {
        name: fewer ? `${name}, ${inFlightMax} in flight` : name,
        figures: others[n] ?? [],
        trouble: troubles(failed, takeTrouble()),
      },
      ...(goal && n === 0 ? { goal } : {}),
      ...(missedBecause && n === 0 ? { missedBecause } : {}),
      note: trouble === undefined ? (n === 0 ? note : undefined) : `Headwater: ${trouble}`,
    }
  })
}

export const commands: Measure = {
  name: 'commands',
  title: 'Commands through `handleCommand`',
  how: `One process sends commands, the store is another: for Headwater the embedded event store on a file
(synchronous=FULL), for Emmett a durable PostgreSQL on the same disk, or its own SQLite in the same process. Same
deciders, same commands, same number in flight; only Emmett on SQLite gets one command at a time, because with more most
of them fail (that is tried first, and what came of it is in the table). Rounds of ${roundMs} ms, contenders in turns. "Warm memory": the
process handled a command of that stream before; "cold memory": it knows nothing of the stream. Every
command of the long streams lands on at least ${longStreamEvents} earlier events, over ${longStreams} streams.`,
  run: async (bench) => {
    const sqliteDirectory = path.join(bench.directory, 'emmett')
    mkdirSync(sqliteDirectory, { recursive: true })
    const ours = await headwater(bench)
    const theirs = async () => [
      emmett(bench, 'Emmett, PostgreSQL', await bench.newDatabase()),
      emmett(bench, 'Emmett, SQLite', path.join(sqliteDirectory, 'emmett.sqlite'), 1),
    ]
    const results: Result[] = []
    const contenders = [ours, ...(bench.beside ? await theirs() : [])]
    for (const workload of workloads.filter(({ what }) => bench.wanted(what)))
      results.push(...(await measureOne(bench, contenders, workload)))
    return results
  },
}
