// Says where the time went: the functions of a CPU profile that took most of it themselves.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const functionsMax = 10
/** Less is not worth a line. */
const shareMin = 0.01
/** A process that did less only started and stopped. */
const busyShareMin = 0.03

type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const placeOf = (url: string, line: number): string => {
  if (url === '') return 'native'
  const inPackage = /node_modules\/(?!\.pnpm)((?:@[^/]+\/)?[^/]+\/.*)$/.exec(url)?.[1]
  return `${inPackage ?? url.replace(/^.*\/(?=(packages|services|scripts)\/)/, '')}:${line + 1}`
}

/** Busy time and the top functions of one process, as lines. */
const summarise = (file: string): readonly string[] => {
  const { nodes, samples, timeDeltas }: CpuProfile = JSON.parse(readFileSync(file, 'utf8'))
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      functionName.startsWith('(') ? functionName : `${functionName || 'anonymous'} ${placeOf(url, lineNumber)}`,
    ]),
  )
  const micros = new Map<string, number>()
  samples.forEach((id, n) => {
    const name = names.get(id) ?? 'unknown'
    micros.set(name, (micros.get(name) ?? 0) + (timeDeltas[n] ?? 0))
  })
  const total = [...micros.values()].reduce((sum, time) => sum + time, 0)
  const idle = micros.get('(idle)') ?? 0
  micros.delete('(idle)')
  const busy = total - idle
  if (busy / total < busyShareMin) return []
  const top = [...micros].toSorted(([, a], [, b]) => b - a).slice(0, functionsMax)
  return [
    `${path.basename(file).replace(/\.\d+\.cpuprofile$/, '')}: busy ${((100 * busy) / total).toFixed(0)} % of ${(total / 1e6).toFixed(1)} s`,
    ...top
      .filter(([, time]) => time / busy >= shareMin)
      .map(([name, time]) => `  ${((100 * time) / busy).toFixed(1).padStart(5)} %  ${name}`),
  ]
}

export const summariseProfiles = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((file) => file.endsWith('.cpuprofile'))
    .toSorted()
    .flatMap((file) => summarise(path.join(directory, file)))
