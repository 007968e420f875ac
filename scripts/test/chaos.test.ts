// Breaks the parts of the system at random moments under load, and compares what was acknowledged, stored, projected and shown.
// A failing round names its seed: npm run chaos -- --seed <seed> --rounds 1 repeats it.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Chance, chanceFrom } from '@headwater/test-kit/chance'
import { post } from '@headwater/test-kit/system'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { type EffectChecks, hurry, openEffectChecks } from './chaos/check-effects.ts'
import { type LiveChecks, openLiveChecks } from './chaos/check-live.ts'
import { openReadModelChecks, type ReadModelChecks } from './chaos/check-read-models.ts'
import { checkStore } from './chaos/check-store.ts'
import { expectNone } from './chaos/differences.ts'
import { pickFault, processFaults, surroundingFaults } from './chaos/faults.ts'
import { type Model, newModel } from './chaos/model.ts'
import { type StoreFold, startStoreFold } from './chaos/store-fold.ts'
import { reportText, writeReport } from './chaos/tally.ts'
import { consentWorkload, loanWorkload, type Workload } from './chaos/workload.ts'
import { startWorld, viewersLine, type World } from './chaos/world.ts'

const roundsOfShortForm = 2
const rounds = Number(process.env.CHAOS_ROUNDS ?? roundsOfShortForm)
const firstSeed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const applicants = 4
const patients = 4
/** Of each of the two kinds, which go on at the same time. */
const faultsPerRound = 2
const roundMsMax = 240_000
const startMsMax = 90_000
const deadMs = 2_000
const hurryEveryMs = 500

let world: World
let model: Model
let fold: StoreFold
let workers: readonly Workload[]
let readModels: ReadModelChecks
let effects: EffectChecks
let live: LiveChecks
/** The seed of the round that failed. */
let failed: number | undefined

beforeAll(async () => {
  world = await startWorld()
  model = newModel()
  fold = startStoreFold(world)
  const patientIds = Array.from({ length: patients }, (_, n) => `patient-${n}`)
  const loans = loanWorkload(world, model)
  workers = [
    ...Array.from({ length: applicants }, () => loans),
    ...(await Promise.all(patientIds.map((id) => consentWorkload(world, model, id)))),
  ]
  readModels = openReadModelChecks(world, fold)
  effects = openEffectChecks(world)
  live = await openLiveChecks(world, patientIds[0] ?? '')
}, startMsMax)

afterAll(async () => {
  await live?.stop()
  await readModels?.close()
  await world?.stop()
  const report = world?.tally.report()
  if (!report) return
  console.log(reportText(report))
  writeReport(report, process.env.CHAOS_REPORT)
}, startMsMax)

const endedByThemselves = (): readonly string[] =>
  [world.system.eventstore, ...world.services].flatMap((one) =>
    one.pid() === undefined ? [`${one.name} ended by itself:\n${one.output()}`] : [],
  )

const breakThings = async (faults: typeof processFaults, chance: Chance) => {
  for (let count = 0; count < faultsPerRound; count++) await pickFault(faults, chance).inject(world, chance)
}

/** A number that nothing else in this run depends on: the rounds of a seed are the same, whichever came before. */
const part = (chance: Chance) => chanceFrom(chance.between(0, 2 ** 31))

/** Breaks what it is told to while everybody works, and waits until they have finished what they are at. */
const whileWorking = async (chance: Chance, breaking: () => Promise<unknown>) => {
  const { tally } = world
  let isOver = false
  const working = workers.map(({ work }) => work(part(chance), () => isOver))
  const broken = breaking().finally(() => {
    isOver = true
    tally.note('all is mended')
  })
  // Whoever decides a loan waits for its credit check, which is tried again in half a minute otherwise.
  const hurrying = setInterval(() => void hurry(world, 'check credit'), hurryEveryMs)
  const ends = await Promise.allSettled([broken, ...working])
  clearInterval(hurrying)
  tally.note('all work is done')
  expectNone('services run on, whatever they meet', endedByThemselves())
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

const checkAll = async (acknowledgedBefore: number) => {
  const { tally } = world
  await effects.check(fold, model)
  tally.note('what follows has been done')
  checkStore(fold, model, tally, acknowledgedBefore)
  await readModels.check(fold, model)
  tally.note('read models are the fold')
  await live.check()
  tally.note('pictures are the read models')
}

test.each(Array.from({ length: rounds }, (_, round) => firstSeed + round))(
  'seed %i: nothing acknowledged is missing, nothing happened twice, every picture is the fold of the store',
  async (seed) => {
    const { tally } = world
    if (failed !== undefined) throw new Error(`Not run: seed ${failed} has left things as nobody knows.`)
    tally.roundBegins()
    onTestFailed(({ task }) => {
      failed = seed
      tally.difference()
      const why = task.result?.errors?.map(({ message }) => message).join('\n')
      const repeat = `npm run chaos -- --seed ${seed} --rounds 1`
      console.error(`Seed ${seed} failed:\n${why}\n\n${repeat} injects the same again:\n${tally.timeline()}`)
    })
    const chance = chanceFrom(seed)
    const acknowledgedBefore = model.acknowledged.length
    await whileWorking(chance, () =>
      Promise.all([breakThings(processFaults, part(chance)), breakThings(surroundingFaults, part(chance))]),
    )
    await checkAll(acknowledgedBefore)
    tally.roundEnds()
  },
  roundMsMax,
)

test('live clients were interrupted and still followed by their tokens: they were not given everything anew each time', () => {
  for (const client of live.clients()) expect(client.connections()).toBeGreaterThanOrEqual(client.snapshots())
})

/** Waits for limits of half a minute and more: for the long form. */
if (rounds > roundsOfShortForm)
  test(
    'connections that die without a word and are never ended are noticed by whoever holds them',
    async () => {
      const { tally, lines } = world
      tally.roundBegins()
      onTestFailed(() => console.error(tally.timeline()))
      const acknowledgedBefore = model.acknowledged.length
      const held = [...lines].filter(([name]) => name !== viewersLine).map(([, line]) => line)
      try {
        await whileWorking(chanceFrom(firstSeed), async () => {
          tally.injected('connections that are dead for good', 'everybody to everything')
          for (const line of held) line.silence({ newToo: false })
          await sleep(deadMs)
        })
        await checkAll(acknowledgedBefore)
      } finally {
        for (const line of held) line.heal()
      }
    },
    roundMsMax,
  )

test(
  'in the end, once all loans are decided, no reservation is held any more',
  async () => {
    const open = [...fold.loans].flatMap(([id, { status }]) => (status === 'awaiting review' ? [id] : []))
    for (const id of open) {
      const url = `${world.system.gateway.url}/api/loans/${id}/approve`
      const answer = await post(url, {}, world.asUnderwriter)
      expect(answer.status).toBe(200)
      const loan = model.loans.get(id)
      if (loan) loan.decision = 'approve'
    }
    await checkAll(model.acknowledged.length)
    expect(fold.reservations()).toEqual([])
  },
  roundMsMax,
)
