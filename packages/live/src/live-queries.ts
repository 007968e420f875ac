// Keeps the rows of every live query that is followed on one read model; its change feed is read once for all of them.
import { type Backoff, delayMsAfter } from '@headwater/eventstore/backoff'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { earlierToken } from '@headwater/projections/model/changes'
import type { Reader } from '@headwater/projections/model/reader'
import { type LiveResult, openResult } from './live-result.ts'
import type { Ops } from './result-window.ts'
import type { LiveView } from './topic.ts'

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
  readonly result: LiveResult
  readonly followers: Set<Follower>
  /** Changes that the followers have not been sent. */
  pending: Map<string, string>
  /** Where the rows stand while they wait to be read again; otherwise they stand where the feed does. */
  waitsAt: string | undefined
}

export const startLiveQueries = (reader: Reader, logger: Logger): LiveQueries => {
  const queries = new Map<string, OpenQuery>()
  /** Up to where the results have followed the feed, or a little before; means nothing while there are none. */
  let token = ''
  let build: string | undefined
  let failures = 0
  let retry: NodeJS.Timeout | undefined
  let nextRun: NodeJS.Timeout | undefined
  let isDue = false
  let ended = false
  let turn = Promise.resolve()

  /** Results are moved by one piece of work at a time, also where reading takes several turns of the event loop. */
  const inTurn = (work: () => Promise<void>): void => {
    turn = turn.then(work).catch((error) => logger.error({ err: error }, 'a live query was not served'))
  }

  const note = (query: OpenQuery, ops: Ops) => {
    for (const [key, json] of ops) query.pending.set(key, json)
  }

  /** @returns the token of the rows */
  const reload = async (query: OpenQuery): Promise<string> => {
    const { value, token } = await reader.rows(query.view.first(query.result.rowsRead))
    note(query, query.result.load(value))
    query.waitsAt = undefined
    return token
  }

  const reloadAll = async (): Promise<string | undefined> => {
    let oldest: string | undefined
    for (const query of queries.values()) {
      const loaded = await reload(query)
      oldest = oldest === undefined ? loaded : earlierToken(oldest, loaded)
    }
    return oldest
  }

  /** The token moves last: what is read again after a failure, or was newer in the rows already, changes nothing. */
  const applyNext = async (): Promise<'more' | 'all seen'> => {
    const next = await reader.changesSince(token, changesPerReadMax)
    if (next === 'snapshot needed') {
      token = (await reloadAll()) ?? token
      return 'more'
    }
    let seen = next.token
    if (build !== undefined && next.build !== build) seen = earlierToken(seen, (await reloadAll()) ?? seen)
    build = next.build
    for (const query of queries.values()) {
      note(query, query.result.apply(next.changes))
      const dueInMs = query.result.dueInMs()
      if (dueInMs === 0) seen = earlierToken(seen, await reload(query))
      else if (dueInMs !== undefined) query.waitsAt ??= token
    }
    token = seen
    return next.changes.length === 0 ? 'all seen' : 'more'
  }

  const tokenOf = (query: OpenQuery | undefined) => query?.waitsAt ?? token

  const tell = (query: OpenQuery) => {
    const ops = query.pending
    if (ops.size === 0) return
    query.pending = new Map()
    for (const follower of query.followers) follower.changed(ops, tokenOf(query))
  }

  const planNextRun = () => {
    const due = [...queries.values()].map(({ result }) => result.dueInMs()).filter((ms) => ms !== undefined)
    clearTimeout(nextRun)
    if (due.length > 0 && !ended) nextRun = setTimeout(wake, Math.ceil(Math.min(...due)))
  }

  /** Brings all results to the newest commit before it tells: rows read on the way may be newer than the feed was. */
  const followFeed = async (): Promise<void> => {
    clearTimeout(retry)
    if (queries.size === 0 || ended) return
    try {
      let reads = 0
      while (reads++ < readsPerTellMax && (await applyNext()) === 'more');
      failures = 0
      for (const query of queries.values()) tell(query)
      if (reads > readsPerTellMax) wake()
      else planNextRun()
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
    const result = openResult(view)
    const first = await reader.rows(view.first(result.rowsRead))
    result.load(first.value)
    // Rows may be older than the feed was: a Postgres that has crashed does its last commits again, and announces them again.
    token = queries.size === 0 ? first.token : earlierToken(token, first.token)
    if (queries.size === 0) build = first.build
    const query: OpenQuery = { view, result, followers: new Set(), pending: new Map(), waitsAt: undefined }
    queries.set(view.name, query)
    return query
  }

  const missedSince = async (query: OpenQuery, earlier: string): Promise<Ops | undefined> => {
    const missed = await reader.changesSince(earlier, resumeChangesMax)
    // Another token than that of the rows: too much was missed, or the client has been at a node that is ahead of this one.
    if (missed === 'snapshot needed' || missed.token !== tokenOf(query)) return undefined
    return query.result.since(missed.changes)
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
      else if (missed) follower.changed(missed, tokenOf(query))
      else follower.restarted()
    }
    inTurn(() =>
      begin().catch((error) => {
        const wasStopped = stopped
        leave()
        if (!wasStopped) follower.failed(error)
      }),
    )
    return { rows: () => query?.result.rows() ?? [], token: () => tokenOf(query), stop: leave }
  }

  const forget = reader.onCommit(wake)
  return {
    follow,
    stop: async () => {
      ended = true
      forget()
      await turn
      clearTimeout(retry)
      clearTimeout(nextRun)
    },
  }
}
