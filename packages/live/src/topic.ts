// Defines live topics: their rows, their order, and which viewer may see which row.
import type { Rules } from '@headwater/deciders/policy'
import type { Allowed } from '@headwater/http-kit/access/access'
import type { ReadModel, Row } from '@headwater/projections/model/read-model'
import type { Query } from '@headwater/projections/model/reader'
import type { z } from 'zod'
import type { View } from './result-window.ts'

type AnyView = {
  /** Equal for views of the same rows by the same kind of viewer. */
  readonly name: string
  readonly readModel: string
  readonly view: View<Row>
  /** The first rows in the view's order. */
  readonly first: (count: number) => Query<Row>
}

/** Rows of one table. */
export type WindowView = AnyView & {
  readonly table: string
  /** Whether the viewer may know that the row exists, shown or not; of a removed row only the topic columns are known. */
  readonly canSee?: ((row: Row) => boolean) | undefined
}

/** Rows that a query joins from several tables. */
export type JoinedView = AnyView & {
  readonly key: string
  /** By table, the column that holds the key. */
  readonly tables: Readonly<Record<string, string>>
  /** Tables that are joined only for names. */
  readonly names: readonly string[]
}

/** A topic with its filter and its viewer filled in. */
export type LiveView = WindowView | JoinedView

export type Topic = {
  readonly rules: Rules
  readonly readModel: string
  readonly filter: z.ZodType
  /** @param allowed at least one credential, by the rules */
  readonly open: (filter: unknown, allowed: readonly Allowed[]) => LiveView | 'invalid_filter'
}

type AnyTopic<R extends Row, Filter, Viewer> = {
  readonly rules: Rules
  /** The viewer: equal as JSON for viewers who see the same. */
  readonly viewer: (allowed: readonly Allowed[]) => Viewer
  readonly filter: z.ZodType<Filter>
  readonly first: (filter: Filter, viewer: Viewer, count: number) => Query<R>
}

const openTopic =
  <Filter, Viewer>(
    name: string,
    topic: Pick<AnyTopic<Row, Filter, Viewer>, 'filter' | 'viewer'>,
    open: (filter: Filter, viewer: Viewer, name: string) => LiveView,
  ): Topic['open'] =>
  (filter, allowed) => {
    const parsed = topic.filter.safeParse(filter ?? undefined)
    if (!parsed.success) return 'invalid_filter'
    const viewer = topic.viewer(allowed)
    return open(parsed.data, viewer, JSON.stringify([name, parsed.data, viewer]))
  }

/** A topic over one table, whose rows follow the feed without being read again. */
export const defineTopic = <R extends Row, Filter, Viewer, Owner extends Row = R>(
  topic: AnyTopic<R, Filter, Viewer> & {
    readonly readModel: string
    readonly table: string
    readonly view: (filter: Filter, viewer: Viewer) => View<R>
    /** Without it each viewer may see each row. It is asked of topic columns only. */
    readonly canSee?: (row: Owner, viewer: Viewer) => boolean
  },
): Topic => {
  const { rules, readModel, filter, table, canSee } = topic
  return {
    rules,
    readModel,
    filter,
    open: openTopic(table, topic, (filter, viewer, name) => ({
      name,
      readModel,
      table,
      // The feed's changes of a table are rows of that table.
      view: topic.view(filter, viewer) as View<Row>,
      canSee: canSee && ((row) => canSee(row as Owner, viewer)),
      first: (count) => topic.first(filter, viewer, count),
    })),
  }
}

/**
 * A topic over several tables of a read model: a change that concerns its key runs its query again, which reads at most
 * 200 rows, at most every 100 ms; a change of a name is shown within 10 s.
 * @throws when the feed does not keep the column of the key
 */
export const defineJoinedTopic = <R extends Row, Filter, Viewer>(
  topic: AnyTopic<R, Filter, Viewer> & {
    readonly name: string
    readonly readModel: ReadModel
    readonly key: (filter: Filter, viewer: Viewer) => string
    /** By table, the column that holds the key: one of its topic columns. */
    readonly tables: Readonly<Record<string, string>>
    readonly names?: readonly string[]
    readonly view: (filter: Filter, viewer: Viewer) => Omit<View<R>, 'matches'>
  },
): Topic => {
  const { rules, readModel, filter, tables, names = [] } = topic
  for (const [table, column] of Object.entries(tables))
    if (!readModel.tables[table]?.topicColumns?.includes(column))
      throw new Error(`Topic ${topic.name}: ${column} is no topic column of ${table} in ${readModel.name}.`)
  return {
    rules,
    readModel: readModel.name,
    filter,
    open: openTopic(topic.name, topic, (filter, viewer, name) => ({
      name,
      readModel: readModel.name,
      key: topic.key(filter, viewer),
      tables,
      names,
      view: { ...topic.view(filter, viewer), matches: () => true } satisfies View<R> as unknown as View<Row>,
      first: (count) => topic.first(filter, viewer, count),
    })),
  }
}
