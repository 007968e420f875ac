// Concurrent histories of several clients, with kill -9 in between, agree with EventStoreDB's rules.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { check } from './history/check.ts'
import { record, type Served } from './history/record.ts'
import { type NodeProcess, startNode } from './node-process.ts'

const rounds = Number(process.env.HISTORY_ROUNDS ?? 1)
const killsMax = 2
/** The seed determines the number of kills: one in the first round. HISTORY_SEED repeats a failed round. */
const firstSeed = Number(process.env.HISTORY_SEED ?? 1 + Math.floor(Math.random() * 300_000) * (killsMax + 1))
const operationsOfLife = 150
const msOfRoundMax = 60_000
const startMs = 60_000

const url = process.env.EVENTSTORE_URL

/** @param play gets a function that serves the same folder at every call */
const withServer = async (play: (serve: () => Promise<Served>) => Promise<void>): Promise<void> => {
  if (url) return play(async () => ({ connectionString: url, kill: undefined }))
  const directory = await mkdtemp(join(tmpdir(), 'history-'))
  let node: NodeProcess | undefined
  try {
    await play(async () => {
      node = await startNode(directory)
      return node
    })
  } finally {
    await node?.kill()
    await rm(directory, { recursive: true })
  }
}

test(`${rounds} concurrent histories follow the rules, first seed ${firstSeed}`, {
  timeout: startMs + rounds * msOfRoundMax,
}, async () => {
  for (let round = 0; round < rounds; round++) {
    const seed = firstSeed + round
    const kills = url ? 0 : seed % (killsMax + 1)
    await withServer(async (serve) => {
      const history = await record({ seed, serve, kills, operations: operationsOfLife })
      const acknowledged = history.operations.filter(({ outcome }) => outcome.kind === 'success').length
      expect(check(history), `HISTORY_SEED=${seed}`).toEqual([])
      expect(acknowledged).toBeGreaterThan(operationsOfLife / 4)
    })
  }
})
