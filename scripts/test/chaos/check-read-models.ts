// Checks that every read model is the fold of the store, row by row, and that it says what the deciders and the people say.
import { setTimeout as sleep } from 'node:timers/promises'
import { postgresQueries, sqliteQueries } from '@headwater/projections/model/queries'
import type { Row } from '@headwater/projections/model/read-model'
import { openPostgresReader } from '@headwater/projections/postgres/reader'
import { schemaName } from '@headwater/projections/postgres/schema'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { differencesOf, expectNone } from './differences.ts'
import type { Model } from './model.ts'
import type { FoldedModel, StoreFold } from './store-fold.ts'
import type { World } from './world.ts'

/** For the lease of a writer that is gone, its successor, and what has to be caught up. */
const caughtUpMsMax = 60_000
const pollMs = 50

type ReadTable = (name: string) => Promise<readonly Row[]>

export type ReadModelChecks = {
  /** Waits until every read model is as the store, and looks at all of it. */
  readonly check: (fold: StoreFold, model: Model) => Promise<void>
  readonly close: () => Promise<void>
}

const differencesIn = async ({ projection, tables }: FoldedModel, read: ReadTable): Promise<readonly string[]> => {
  const all: string[] = []
  for (const [name, folded] of tables) {
    const { key } = projection.tables[name as never] as { readonly key: string }
    const rows = new Map((await read(name)).map((row) => [String(row[key]), row]))
    all.push(...differencesOf(folded, rows).map((difference) => `${projection.name} ${name} ${difference}`))
  }
  return all
}

/** The rows say what the deciders and the people who worked with them say, too. */
const meaning = ({ loans, readModels }: StoreFold, { patients }: Model): readonly string[] => {
  const rowsOf = ({ tables }: FoldedModel, name: string) => [...(tables.get(name)?.values() ?? [])]
  const statuses = new Map(rowsOf(readModels.loans, 'loans').map((row) => [String(row.loanId), row.status]))
  const decided = new Map([...loans].map(([id, { status }]) => [id, status]))
  const granted = rowsOf(readModels.consents, 'consents').flatMap((row) => {
    if (row.granteeKind !== 'doctor') return []
    const permissions: readonly { readonly target: string }[] = JSON.parse(String(row.permissions))
    return permissions.map(({ target }) => `${row.patientId} doctor:${row.granteeId} ${target}`)
  })
  const believed = [...patients].flatMap(([id, patient]) => [...patient.granted].map((key) => `${id} ${key}`))
  const asSet = (texts: readonly string[]) => new Map(texts.map((text) => [text, true]))
  return [...differencesOf(decided, statuses), ...differencesOf(asSet(believed), asSet(granted))]
}

export const openReadModelChecks = ({ system, postgres, tally, logger }: World, fold: StoreFold): ReadModelChecks => {
  const directory = system.edgeDirectory
  const inSqlite = [fold.readModels.loans, fold.readModels.consents].map((folded) => {
    const reader = openSqliteReader({ directory, projection: folded.projection, logger })
    const read: ReadTable = async (name) =>
      reader.rows(sqliteQueries<Record<string, Row>>().selectFrom(name).selectAll().compile()).value
    return { folded, read, close: async () => reader.close() }
  })
  const inPostgres = [fold.readModels.underwriting, fold.readModels.audit].map((folded) => {
    const { projection } = folded
    const reader = openPostgresReader({ url: postgres.url, projection, logger })
    const queries = postgresQueries<Record<string, Row>>().withSchema(schemaName(projection))
    const read: ReadTable = async (name) => (await reader.rows(queries.selectFrom(name).selectAll().compile())).value
    return { folded, read, close: reader.close }
  })
  const places = [...inSqlite, ...inPostgres]

  return {
    check: async (fold, model) => {
      const giveUpAtMs = performance.now() + caughtUpMsMax
      for (const { folded, read } of places) {
        // What looks at what others do is still written down for a moment: the store goes on.
        for (;;) {
          await fold.readOn()
          const differences = await differencesIn(folded, read)
          if (differences.length === 0) break
          if (performance.now() > giveUpAtMs) expectNone('read models are the fold of the store', differences)
          await sleep(pollMs)
        }
        for (const [name, rows] of folded.tables) tally.checked(`rows of ${folded.projection.name}.${name}`, rows.size)
      }
      expectNone('read models say what was decided', meaning(fold, model))
    },
    close: async () => {
      for (const { close } of places) await close()
    },
  }
}
