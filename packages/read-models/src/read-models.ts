// Every read model of the product: those at the edge, in SQLite files of each node, and those in Postgres.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { Projection } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'
import { openPostgresReader, type PostgresReader } from '@headwater/projections/postgres/reader'
import { openSqliteReader, type SqliteReader } from '@headwater/projections/sqlite/reader'
import type { Logger } from 'pino'
import { audit } from './audit/audit.ts'
import { consents } from './consent/consents.ts'
import { loans } from './loan/loans.ts'
import { underwriting } from './loan/underwriting.ts'

export type AnyProjection = Projection<DomainEvent, Readonly<Record<string, Row>>>

/** Each decodes its own categories only. */
const listed = (...models: readonly unknown[]) => models as readonly AnyProjection[]

export const edgeModels = listed(loans, consents)
export const dashboardModels = listed(underwriting, audit)

/** @throws when there is no such read model */
export type Readers = {
  readonly edge: (name: string) => SqliteReader
  readonly postgres: (name: string) => PostgresReader
  readonly close: () => Promise<void>
}

const named =
  <Reader>(readers: ReadonlyMap<string, Reader>) =>
  (name: string) => {
    const reader = readers.get(name)
    if (!reader) throw new Error(`There is no read model ${name} there.`)
    return reader
  }

/** @param options.url of Postgres */
export const openReaders = ({
  directory,
  url,
  logger,
}: {
  readonly directory: string
  readonly url: string
  readonly logger: Logger
}): Readers => {
  const edge = new Map(
    edgeModels.map((projection) => [projection.name, openSqliteReader({ directory, projection, logger })]),
  )
  const postgres = new Map(
    dashboardModels.map((projection) => [projection.name, openPostgresReader({ url, projection, logger })]),
  )
  return {
    edge: named(edge),
    postgres: named(postgres),
    close: async () => {
      for (const reader of edge.values()) reader.close()
      await Promise.all([...postgres.values()].map((reader) => reader.close()))
    },
  }
}
