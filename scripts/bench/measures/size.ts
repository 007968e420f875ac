// What a hundred times the data costs: the same work on a small and on a large store and read model.
import path from 'node:path'
import type { ContenderTasks, Load } from '../load.ts'
import { type Desk, eventsALoan } from '../loan-history.ts'
import { inTurns, type Measure, type Result } from '../measure.ts'
import type { Processes } from '../processes.ts'
import type { ProjectorTasks } from '../workers/projector.ts'
import type { StoreBuilderTasks } from '../workers/store-builder.ts'

const eventsAStream = 10
const streamsOf = { small: 1_000, large: 100_000 }
const quickStreamsOf = { small: 100, large: 2_000 }
const loadMs = 1_000
const coldCommands = 300
const furtherEvents = 20_000
const queryMs = 500
const costMax = 1.5

const startStore = async (processes: Processes, directory: string, streams: number) => {
  const builder = processes.worker<StoreBuilderTasks>('workers/store-builder.ts')
  await builder.call('fill', { directory, prefix: 'size', streams, eventsEach: eventsAStream })
  await builder.stop()
  const { url } = await processes.eventStore(directory)
  const worker = processes.worker<ContenderTasks>('workers/headwater.ts')
  await worker.call('open', { url })
  /** Milliseconds of the clock a command. */
  const cost = async (load: Pick<Load, 'kind' | 'memory' | 'inFlight'> & Partial<Load>) => {
    const outcome = await worker.call('run', { prefix: 'size', streams, durationMs: loadMs, ...load })
    if (outcome.failed > 0) throw new Error(outcome.failure)
    return 1_000 / outcome.perSecond
  }
  return {
    newStreams: () => cost({ kind: 'new', memory: 'cold', inFlight: 16 }),
    coldStreams: () =>
      cost({ kind: 'deposit', memory: 'cold', inFlight: 4, durationMs: 10 * loadMs, commandsMax: coldCommands }),
  }
}

const buildReadModel = async (processes: Processes, target: string, streams: number) => {
  const loanCount = (streams * eventsAStream) / eventsALoan
  const worker = processes.worker<ProjectorTasks>('workers/projector.ts')
  await worker.call('build', { target, loanCount })
  return {
    project: (desk: Desk) => worker.call('further', { target, count: furtherEvents, desk }),
    query: (page: boolean) => worker.call('query', { target, page, durationMs: queryMs }),
  }
}

const scattered =
  'in a small read model the rows of a batch share pages; in a large one nearly every row and every index entry that changes lies on a page of its own, which the commit and the checkpoint of the write-ahead log then write.'

const scatteredPage =
  'the loans of a page follow each other in an index, but the rows themselves are kept by loan id: in a large read model each of the 50 lies on a page of its own.'

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let making: Promise<T> | undefined
  return () => {
    making ??= make()
    return making
  }
}

export const size: Measure = {
  name: 'size',
  title: 'Cost at a hundred times the size',
  how: `Small: ${streamsOf.small * eventsAStream} events in ${streamsOf.small} streams; large:
${streamsOf.large * eventsAStream} events in ${streamsOf.large} streams. The stores are filled from inside,
${eventsAStream} events an append, and then served by a process as always; the SQLite read models hold
as many events (four a loan). The same work on both, in turns: commands on new streams (16 in flight), commands on
streams that the process has to read first (4 in flight, streams of ${eventsAStream} events), ${furtherEvents} further
events at the projection (a loan requested and one decided that was requested a while before; then, as the worst case,
loans decided anywhere among all), and queries. The ratio says how many times more the large case costs.`,
  run: async ({ processes, rounds, quick, directory, wanted, say }) => {
    const streams = quick ? quickStreamsOf : streamsOf
    const place = (name: string) => path.join(directory, name)
    /** The first time a measure asks for them. */
    const stores = once(async () => {
      say('building the stores')
      return {
        large: await startStore(processes, place('large-store'), streams.large),
        small: await startStore(processes, place('small-store'), streams.small),
      }
    })
    const models = once(async () => {
      say('building the read models')
      return {
        large: await buildReadModel(processes, place('large-model'), streams.large),
        small: await buildReadModel(processes, place('small-model'), streams.small),
      }
    })
    const compare = async <Side>(
      what: string,
      sides: () => Promise<{ readonly small: Side; readonly large: Side }>,
      costOn: (side: Side) => Promise<number>,
      missedBecause?: string,
    ): Promise<readonly Result[]> => {
      if (!wanted(what)) return []
      const { small: smallSide, large: largeSide } = await sides()
      say(what)
      const small = () => costOn(smallSide)
      const large = () => costOn(largeSide)
      await inTurns(1, { small, large })
      const figures = await inTurns(rounds, { small, large })
      const beside = { name: 'small', figures: figures.small }
      return [
        {
          what,
          unit: 'ms each',
          ours: figures.large,
          beside,
          goal: { of: 'ratio', below: costMax },
          ...(missedBecause ? { missedBecause } : {}),
        },
      ]
    }
    return [
      ...(await compare('command on a new stream', stores, ({ newStreams }) => newStreams())),
      ...(await compare('command on a stream read first', stores, ({ coldStreams }) => coldStreams())),
      ...(await compare('further event', models, ({ project }) => project('recent'), scattered)),
      ...(await compare(
        'further event, anywhere among all loans',
        models,
        ({ project }) => project('anywhere'),
        scattered,
      )),
      ...(await compare('loan by id', models, ({ query }) => query(false))),
      ...(await compare('loan by id and a page of 50', models, ({ query }) => query(true), scatteredPage)),
    ]
  },
}
