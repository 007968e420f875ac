// Keeps the picture of every live query that somebody follows; the change feed is read once for all of them.
import type { Logger } from '@headwater/http-kit/telemetry'
import type { Change } from '@headwater/read-models/changes'
import type { SqliteReader } from '@headwater/read-models/sqlite-reader'
import { createPicture, type Ops, type Picture } from './picture.ts'
import type { LiveView } from './topics.ts'

/** The most rows a live query shows. */
export const liveRowsMax = 1_000
const liveRowsReserve = 250
const changesPerReadMax = 1_000
/** A client that missed more is told everything afresh. */
const resumeChangesMax = 2_000
const retryDelayMs = 250

/** Called with what changed since the last call; the picture is then what the query answers at `token`. */
type LiveListener = (ops: Ops, token: string) => void

/** A live query as one follower has it. */
export type FollowedQuery = {
  readonly rows: () => string[]
  readonly token: () => string
  /** What changed since an earlier token; undefined when only a snapshot can tell. */
  readonly since: (token: string) => Ops | undefined
  readonly stop: () => void
}

export type LiveQueries = {
  /** @throws Rejection `read_model_not_ready` */
  readonly follow: (view: LiveView, listener: LiveListener) => FollowedQuery
  readonly stop: () => void
}

type OpenQuery = {
  readonly view: LiveView
  readonly picture: Picture<NonNullable<Change['after']>>
  readonly listeners: Set<LiveListener>
  /** What the listeners have not been told yet. */
  untold: Map<string, string>
}

export const startLiveQueries = (reader: SqliteReader, logger: Logger): LiveQueries => {
  const queries = new Map<string, OpenQuery>()
  /** Up to where the pictures have followed the feed; means nothing while there are none. */
  let token = ''
  let retry: NodeJS.Timeout | undefined

  const firstRows = (view: LiveView) => reader.read((db) => view.read(db, liveRowsMax + liveRowsReserve)).value

  const note = (query: OpenQuery, ops: Ops) => {
    for (const [key, json] of ops) query.untold.set(key, json)
  }

  const applyNext = (): 'more' | 'all seen' => {
    const next = reader.changesSince(token, changesPerReadMax)
    if (next === 'snapshot needed') {
      // The token first: what is committed between the reads is then applied again, which changes nothing.
      token = reader.read(() => undefined).token
      for (const query of queries.values()) note(query, query.picture.load(firstRows(query.view)))
      return 'more'
    }
    const changes = Map.groupBy(next.changes, (change) => change.table)
    for (const query of queries.values())
      note(
        query,
        query.picture.apply(changes.get(query.view.table) ?? [], () => firstRows(query.view)),
      )
    token = next.token
    return next.changes.length === 0 ? 'all seen' : 'more'
  }

  const tell = (query: OpenQuery) => {
    const ops = query.untold
    if (ops.size === 0) return
    query.untold = new Map()
    for (const listener of query.listeners) listener(ops, token)
  }

  /** Brings all pictures to the newest commit, and only then tells: rows read on the way may be newer than the feed was. */
  const followFeed = () => {
    clearTimeout(retry)
    if (queries.size === 0) return
    try {
      while (applyNext() === 'more');
      for (const query of queries.values()) tell(query)
    } catch (error) {
      logger.warn({ err: error }, 'the change feed cannot be read; live queries wait')
      retry = setTimeout(followFeed, retryDelayMs)
    }
  }

  const open = (view: LiveView): OpenQuery => {
    const picture = createPicture(view.view, { rowsMax: liveRowsMax, reserveMax: liveRowsReserve })
    if (queries.size === 0) token = reader.read(() => undefined).token
    picture.load(firstRows(view))
    const query: OpenQuery = { view, picture, listeners: new Set(), untold: new Map() }
    queries.set(view.name, query)
    return query
  }

  const follow = (view: LiveView, listener: LiveListener): FollowedQuery => {
    const query = queries.get(view.name) ?? open(view)
    followFeed()
    query.listeners.add(listener)
    return {
      rows: query.picture.rows,
      token: () => token,
      since: (earlier) => {
        const missed = reader.changesSince(earlier, resumeChangesMax)
        // Another token than the pictures': too much was missed, or the client has been at a node that is ahead of this one.
        if (missed === 'snapshot needed' || missed.token !== token) return undefined
        return query.picture.since(
          new Set(missed.changes.filter(({ table }) => table === view.table).map(({ key }) => key)),
        )
      },
      stop: () => {
        query.listeners.delete(listener)
        if (query.listeners.size === 0) queries.delete(view.name)
      },
    }
  }

  const forget = reader.onCommit(followFeed)
  return {
    follow,
    stop: () => {
      forget()
      clearTimeout(retry)
    },
  }
}
