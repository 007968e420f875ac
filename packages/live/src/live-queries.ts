// Keeps the picture of every live query that somebody follows on one read model; its change feed is read once for all of them.
import { type Backoff, delayMsAfter } from '@headwater/eventstore/backoff'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { type Change, earlierToken } from '@headwater/projections/model/changes'
import type { Reader } from '@headwater/projections/model/reader'
import { createPicture, type Ops, type Picture } from './result-window.ts'
import type { LiveView } from './topic.ts'

/** The most rows a live query shows. */
export const liveRowsMax = 1_000
const liveRowsReserve = 250
const changesPerReadMax = 1_000
/** A writer that never pauses does not keep the news from being told. */
const readsPerTellMax = 20
/** A client that missed more is told everything afresh. */
const resumeChangesMax = 2_000
const retryBackoff: Backoff = { delayMsMin: 100, delayMsMax: 2_000 }

/** Whoever follows a live query; called in the order in which things happen, until the query is stopped. */
type Follower = {
  /** Everything is to be told: the followed query has the rows and their token. */
  readonly restarted: () => void
  /** What changed since the last call. */
  readonly changed: (ops: Ops, token: string) => void
  /** The query could not be begun, and nothing more will be told. */
  readonly failed: (error: unknown) => void
}

/** A live query as one follower has it. */
export type FollowedQuery = {
  readonly rows: () => string[]
  readonly token: () => string
  readonly stop: () => void
}

export type LiveQueries = {
  /**
   * Begins with `changed` when it can be told what changed since the token `earlier`, otherwise with `restarted`; or
   * ends with `failed`.
   */
  readonly follow: (view: LiveView, follower: Follower, earlier?: string) => FollowedQuery
  /** Waits for what is being read. */
  readonly stop: () => Promise<void>
}

type OpenQuery = {
  readonly view: LiveView
  readonly picture: Picture<NonNullable<Change['after']>>
  readonly followers: Set<Follower>
  /** What the followers have not been told yet. */
  untold: Map<string, string>
}

export const startLiveQueries = (reader: Reader, logger: Logger): LiveQueries => {
  const queries = new Map<string, OpenQuery>()
  /** Up to where the pictures have followed the feed, or a little before; means nothing while there are none. */
  let token = ''
  let failures = 0
  let retry: NodeJS.Timeout | undefined
  let isDue = false
  let ended = false
  let turn = Promise.resolve()

  /** Pictures are moved by one piece of work at a time, also where reading takes several turns of the event loop. */
  const inTurn = (work: () => Promise<void>): void => {
    turn = turn.then(work).catch((error) => logger.error({ err: error }, 'a live query was not served'))
  }

  const firstRows = async (view: LiveView) => reader.rows(view.first(liveRowsMax + liveRowsReserve))

  const note = (query: OpenQuery, ops: Ops) => {
    for (const [key, json] of ops) query.untold.set(key, json)
  }

  /** @returns the token of the rows */
  const reload = async (query: OpenQuery): Promise<string> => {
    const { value, token } = await firstRows(query.view)
    note(query, query.picture.load(value))
    return token
  }

  /** The token moves last: what is read again after a failure, or was newer in the rows already, changes nothing. */
  const applyNext = async (): Promise<'more' | 'all seen'> => {
    const next = await reader.changesSince(token, changesPerReadMax)
    if (next === 'snapshot needed') {
      let oldest: string | undefined
      for (const query of queries.values()) {
        const loaded = await reload(query)
        oldest ??= loaded
      }
      token = oldest ?? token
      return 'more'
    }
    const changes = Map.groupBy(next.changes, (change) => change.table)
    let seen = next.token
    for (const query of queries.values()) {
      note(query, query.picture.apply(changes.get(query.view.table) ?? []))
      if (query.picture.isShort()) seen = earlierToken(seen, await reload(query))
    }
    token = seen
    return next.changes.length === 0 ? 'all seen' : 'more'
  }

  const tell = (query: OpenQuery) => {
    const ops = query.untold
    if (ops.size === 0) return
    query.untold = new Map()
    for (const follower of query.followers) follower.changed(ops, token)
  }

  /** Brings all pictures to the newest commit before it tells: rows read on the way may be newer than the feed was. */
  const followFeed = async (): Promise<void> => {
    clearTimeout(retry)
    if (queries.size === 0 || ended) return
    try {
      let reads = 0
      while (reads++ < readsPerTellMax && (await applyNext()) === 'more');
      failures = 0
      for (const query of queries.values()) tell(query)
      if (reads > readsPerTellMax) wake()
    } catch (error) {
      if (ended) return
      failures += 1
      if (failures === 1) logger.warn({ err: error }, 'the change feed cannot be read; live queries wait')
      retry = setTimeout(wake, delayMsAfter(failures, retryBackoff))
    }
  }

  const wake = () => {
    if (isDue) return
    isDue = true
    inTurn(() => {
      isDue = false
      return followFeed()
    })
  }

  const open = async (view: LiveView): Promise<OpenQuery> => {
    const picture = createPicture(view.view, { rowsMax: liveRowsMax, reserveMax: liveRowsReserve })
    const first = await firstRows(view)
    picture.load(first.value)
    // Rows may be older than the feed was: a Postgres that has crashed does its last commits again, also what was told of them.
    token = queries.size === 0 ? first.token : earlierToken(token, first.token)
    const query: OpenQuery = { view, picture, followers: new Set(), untold: new Map() }
    queries.set(view.name, query)
    return query
  }

  const missedSince = async ({ view, picture }: OpenQuery, earlier: string): Promise<Ops | undefined> => {
    const missed = await reader.changesSince(earlier, resumeChangesMax)
    // Another token than the pictures': too much was missed, or the client has been at a node that is ahead of this one.
    if (missed === 'snapshot needed' || missed.token !== token) return undefined
    const ofTable = missed.changes.filter(({ table }) => table === view.table)
    // A removed row has no owner any more: this viewer may have it, and would not hear of its removal.
    if (!view.canSee(null) && ofTable.some(({ after }) => after === null)) return undefined
    return picture.since(new Set(ofTable.filter(({ after }) => view.canSee(after)).map(({ key }) => key)))
  }

  const follow: LiveQueries['follow'] = (view, follower, earlier) => {
    let query: OpenQuery | undefined
    let stopped = false

    const leave = () => {
      stopped = true
      query?.followers.delete(follower)
      if (query?.followers.size === 0 && queries.get(view.name) === query) queries.delete(view.name)
    }
    const begin = async () => {
      if (stopped) return
      await followFeed()
      query = queries.get(view.name) ?? (await open(view))
      query.followers.add(follower)
      const missed = stopped || earlier === undefined ? undefined : await missedSince(query, earlier)
      if (stopped) leave()
      else if (missed) follower.changed(missed, token)
      else follower.restarted()
    }
    inTurn(() =>
      begin().catch((error) => {
        const wasStopped = stopped
        leave()
        if (!wasStopped) follower.failed(error)
      }),
    )
    return { rows: () => query?.picture.rows() ?? [], token: () => token, stop: leave }
  }

  const forget = reader.onCommit(wake)
  return {
    follow,
    stop: async () => {
      ended = true
      forget()
      await turn
      clearTimeout(retry)
    },
  }
}
