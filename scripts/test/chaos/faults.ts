// The faults: each breaks one thing for a while and mends it again. Which, where and for how long the seed says.
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chance } from '@headwater/test-kit/chance'
import type { Line } from '@headwater/test-kit/line'
import type { Part } from '@headwater/test-kit/system'
import { whenTakenOver } from './take-over.ts'
import type { World } from './world.ts'

const downMsMax = 200
const stoppedMs = { min: 300, max: 3_500 }
const silentMs = { min: 300, max: 3_000 }
const slowMs = { min: 500, max: 2_000 }
const delayMs = { min: 20, max: 300 }
const clockSecondsMax = 20 * 60
const clockMs = { min: 500, max: 3_000 }
const fullMs = { min: 300, max: 2_000 }
/** Nothing that lies behind it in a file can be written. */
const fileBytesMax = 4_096

type Fault = {
  readonly name: string
  /** How often it is chosen, compared with the others. */
  readonly weight: number
  readonly inject: (world: World, chance: Chance) => Promise<void>
}

const during = async (chance: Chance, { min, max }: { readonly min: number; readonly max: number }) =>
  sleep(chance.between(min, max))

/** What happens to processes, one after the other. */
export const processFaults: readonly Fault[] = [
  {
    name: 'kill -9',
    weight: 5,
    inject: async (world, chance) => {
      const { services, system, tally } = world
      const victim = chance.pick([...services, system.projector, system.eventstore])
      const takenOver = await whenTakenOver(world, victim)
      const staysAway = chance.between(1, 2) === 1
      tally.injected('kill -9', victim.name)
      await victim.kill()
      try {
        const downMs = chance.between(0, downMsMax)
        await Promise.all([sleep(downMs), staysAway && takenOver?.('kill -9')])
      } finally {
        await victim.start()
      }
    },
  },
  {
    name: 'SIGSTOP',
    weight: 3,
    inject: async (world, chance) => {
      const { services, system, tally } = world
      const victim = chance.pick([...services, system.eventstore])
      const takenOver = await whenTakenOver(world, victim)
      const staysAway = chance.between(1, 2) === 1
      tally.injected('SIGSTOP, later SIGCONT', victim.name)
      victim.signal('SIGSTOP')
      try {
        await Promise.all([during(chance, stoppedMs), staysAway && takenOver?.('SIGSTOP')])
      } finally {
        victim.signal('SIGCONT')
      }
      tally.note(`SIGCONT: ${victim.name}`)
    },
  },
  {
    name: 'event store restart',
    weight: 1,
    inject: async ({ system: { eventstore }, tally }, chance) => {
      tally.injected('restart of the event store', 'SIGTERM')
      await eventstore.stop()
      await sleep(chance.between(0, downMsMax))
      await eventstore.start()
    },
  },
  {
    name: 'Postgres restart',
    weight: 2,
    inject: async ({ postgres, tally }, chance) => {
      const how = chance.pick(['stop', 'kill'] as const)
      tally.injected('restart of Postgres', how === 'kill' ? 'kill -9' : 'fast shutdown')
      await postgres.end(how)
      await sleep(chance.between(0, downMsMax))
      await postgres.start()
      tally.note('Postgres runs again')
    },
  },
]

/** One line, or all that lead to the same place: then it is the place that cannot be reached. */
const someLines = ({ lines }: World, chance: Chance): { readonly where: string; readonly chosen: readonly Line[] } => {
  const name = chance.pick([...lines.keys()].sort())
  const end = name.slice(name.indexOf(' to '))
  if (chance.between(1, 4) > 1) return { where: name, chosen: [lines.get(name) as Line] }
  const all = [...lines].filter(([other]) => other.endsWith(end)).map(([, line]) => line)
  return { where: `everybody${end}`, chosen: all }
}

const silence =
  (fault: string, newToo: boolean): Fault['inject'] =>
  async (world, chance) => {
    const { where, chosen } = someLines(world, chance)
    world.tally.injected(fault, where)
    for (const line of chosen) line.silence({ newToo })
    await during(chance, silentMs)
    for (const line of chosen) line.heal()
    world.tally.note(`healed: ${where}`)
  }

/** So small a file-size limit that every write fails, as on a disk that is full; the process itself is not harmed. */
const limitFiles = (victim: Part, limit: string) => {
  const pid = victim.pid()
  // Killed meanwhile: its successor has no limit.
  if (pid !== undefined) execFileSync('prlimit', ['--pid', String(pid), `--fsize=${limit}:`], { stdio: 'ignore' })
}

const canLimitFiles = (() => {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

/** What happens to connections, disks and clocks, one after the other, at the same time as the others. */
export const surroundingFaults: readonly Fault[] = [
  {
    name: 'cut',
    weight: 3,
    inject: async (world, chance) => {
      const { where, chosen } = someLines(world, chance)
      world.tally.injected('connections cut', where)
      for (const line of chosen) line.cut()
      await during(chance, { min: 0, max: 500 })
    },
  },
  { name: 'half-open', weight: 2, inject: silence('half-open connections', false) },
  { name: 'unreachable', weight: 2, inject: silence('half-open connections, new ones too', true) },
  {
    name: 'slow',
    weight: 1,
    inject: async (world, chance) => {
      const { where, chosen } = someLines(world, chance)
      const ms = chance.between(delayMs.min, delayMs.max)
      world.tally.injected('slow connections', `${where}, ${ms} ms later`)
      for (const line of chosen) line.delay(ms)
      await during(chance, slowMs)
      for (const line of chosen) line.delay(0)
    },
  },
  {
    name: 'disk full',
    weight: canLimitFiles ? 2 : 0,
    inject: async ({ system: { projector, eventstore }, tally }, chance) => {
      const victim = chance.pick([projector, projector, eventstore])
      tally.injected('disk that takes nothing', victim.name)
      limitFiles(victim, String(fileBytesMax))
      await during(chance, fullMs)
      limitFiles(victim, 'unlimited')
      tally.note(`the disk of ${victim.name} takes all again`)
    },
  },
  {
    name: 'clock',
    weight: 3,
    inject: async (world, chance) => {
      const victim = chance.pick(world.services)
      const seconds = chance.between(-clockSecondsMax, clockSecondsMax)
      world.tally.injected('clock that jumps, and back', `${victim.name}, ${seconds} s`)
      world.setClock(victim, seconds)
      await during(chance, clockMs)
      world.setClock(victim, 0)
    },
  },
]

/** Which of them, by their weights. */
export const pickFault = (faults: readonly Fault[], chance: Chance): Fault =>
  chance.pick(faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault)))
