// Looks at all followers; what could not be asked is said beside.
import { type Facts, factsOf, type StoreFacts, storeFacts } from '@headwater/projections/operate/facts'
import type { Follower } from '@headwater/projections/operate/followers'
import type { Context } from '../command.ts'
import { troubleOf } from '../refusal.ts'

export type Looked = {
  readonly follower: Follower
  readonly facts: Facts | undefined
  readonly trouble: string | undefined
}

/** What is known of each; what could not be asked is said beside. */
export const lookAt = async (
  context: Context,
  followers: readonly Follower[] = context.followers,
): Promise<{ readonly store: StoreFacts | undefined; readonly looked: readonly Looked[] }> => {
  const troubled = (error: unknown) => {
    const trouble = troubleOf(error, context.settings)
    context.note(trouble)
    return trouble
  }
  const store = await storeFacts(context.store).catch((error: unknown) => {
    troubled(error)
    return undefined
  })
  const looked = await Promise.all(
    followers.map((follower) =>
      factsOf(context.store, store, follower).then(
        (facts): Looked => ({ follower, facts, trouble: undefined }),
        (error: unknown): Looked => ({ follower, facts: undefined, trouble: troubled(error) }),
      ),
    ),
  )
  // Read again at last, so that no position shown beside it is ahead of it.
  return { store: store && { ...store, head: await context.store.head() }, looked }
}
