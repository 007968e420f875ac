// Where each kind of consequence is: a new kind misses nothing while a version leads that does not know it yet.
import type { EventStore } from '@headwater/eventstore/client/client'
import type { Position } from '@headwater/eventstore/position'
import { bigints } from '@headwater/postgres/pool'
import type { Pool, PoolClient } from 'pg'

export type KindPositions = ReadonlyMap<string, Position>

export type FollowedKinds = ReturnType<typeof followedKinds>

export const followedKinds = ({
  name,
  kinds,
  pool,
  store,
}: {
  /** Of the follower. */
  readonly name: string
  readonly kinds: readonly string[]
  readonly pool: Pool
  readonly store: Pick<EventStore, 'head'>
}) => {
  let isRegistered = false
  return {
    /**
     * Makes the follower and the kinds that are new start here and now. The kinds of a follower from before kinds were
     * kept are where that follower is.
     */
    register: async (storeId: string): Promise<void> => {
      if (isRegistered) return
      const { commit, prepare } = await store.head()
      await pool.query(
        `insert into headwater.followers (name, commit_position, prepare_position, store_id, epoch)
         values ($1, $2, $3, $4, 0) on conflict (name) do nothing`,
        [name, commit, prepare, storeId],
      )
      await pool.query(
        `insert into headwater.followed_kinds
           (follower, kind, commit_position, prepare_position, start_commit, start_prepare)
         select $1, kind, coalesce(earlier.commit_position, $3), coalesce(earlier.prepare_position, $4),
           case when earlier.name is null then $3::int8 end, case when earlier.name is null then $4::int8 end
         from unnest($2::text[]) as kind left join headwater.followers as earlier on earlier.name = $1
           and not exists (select from headwater.followed_kinds where follower = $1)
         on conflict (follower, kind) do nothing`,
        [name, kinds, commit, prepare],
      )
      isRegistered = true
    },
    /** Events up to there have no consequences of the kind. Kinds that are as old as their follower are missing. */
    starts: async (): Promise<KindPositions> => {
      const { rows } = await pool.query<{ kind: string } & Position>({
        text: `select kind, start_commit as commit, start_prepare as prepare from headwater.followed_kinds
               where follower = $1 and kind = any($2) and start_commit is not null`,
        values: [name, kinds],
        types: bigints,
      })
      return new Map(rows.map(({ kind, commit, prepare }) => [kind, { commit, prepare }]))
    },
    /** In an open transaction. Never back: a kind may have started ahead of its follower. */
    moveTo: async (client: PoolClient, moved: readonly string[], { commit, prepare }: Position): Promise<void> => {
      await client.query(
        `update headwater.followed_kinds set commit_position = $3, prepare_position = $4
         where follower = $1 and kind = any($2) and (commit_position, prepare_position) < ($3, $4)`,
        [name, moved, commit, prepare],
      )
    },
  }
}
