// Defines live topics: their rows, their order, and which viewer may see which row.
import type { Rules } from '@headwater/deciders/policy'
import type { Allowed } from '@headwater/http-kit/access/access'
import type { Row } from '@headwater/projections/model/read-model'
import type { Query } from '@headwater/projections/model/reader'
import type { z } from 'zod'
import type { View } from './result-window.ts'

/** A topic with its filter and its viewer filled in. */
export type LiveView = {
  /** Equal for views of the same rows by the same kind of viewer. */
  readonly name: string
  readonly readModel: string
  readonly table: string
  readonly view: View<Row>
  /** Whether the viewer may know that the row exists, shown or not. `null` is a removed row, whose owner is unknown. */
  readonly canSee: (row: Row | null) => boolean
  /** The first rows in the view's order. */
  readonly first: (count: number) => Query<Row>
}

export type Topic = {
  readonly rules: Rules
  readonly readModel: string
  readonly filter: z.ZodType
  /** @param allowed at least one credential, by the rules */
  readonly open: (filter: unknown, allowed: readonly Allowed[]) => LiveView | 'invalid_filter'
}

export const defineTopic = <R extends Row, Filter, Viewer>(topic: {
  readonly rules: Rules
  readonly readModel: string
  readonly table: string
  /** The viewer: equal as JSON for viewers who see the same. */
  readonly viewer: (allowed: readonly Allowed[]) => Viewer
  readonly filter: z.ZodType<Filter>
  readonly view: (filter: Filter, viewer: Viewer) => View<R>
  readonly canSee: (row: R | null, viewer: Viewer) => boolean
  readonly first: (filter: Filter, viewer: Viewer, count: number) => Query<R>
}): Topic => ({
  rules: topic.rules,
  readModel: topic.readModel,
  filter: topic.filter,
  open: (filter, allowed) => {
    const parsed = topic.filter.safeParse(filter ?? undefined)
    if (!parsed.success) return 'invalid_filter'
    const viewer = topic.viewer(allowed)
    return {
      name: JSON.stringify([topic.table, parsed.data, viewer]),
      readModel: topic.readModel,
      table: topic.table,
      // The feed's changes of a table are rows of that table.
      view: topic.view(parsed.data, viewer) as View<Row>,
      canSee: (row) => topic.canSee(row as R | null, viewer),
      first: (count) => topic.first(parsed.data, viewer, count),
    }
  },
})
