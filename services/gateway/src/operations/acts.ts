// What operators do about followers and what is parked: kept as wishes, which whoever follows the event store sees to.

import { Rejection } from '@headwater/deciders/decider'
import { uuid } from '@headwater/deciders/fields'
import { asked, followerName, retryInput, skipInput, steerInput } from '@headwater/deciders/operations/operations'
import { operationsRules } from '@headwater/deciders/operations/operations-policy'
import { Problem, problemAnswer } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Follower } from '@headwater/projections/operate/followers'
import { pause, rebuild, resume, retry, skip, stopRebuild } from '@headwater/projections/operate/requests'
import type { Wish } from '@headwater/projections/operate/wishes'
import { z } from 'zod'
import { named, type People } from '../people.ts'

type Options = {
  readonly followers: readonly Follower[]
  readonly people: Pick<People, 'namesOf'>
  readonly node: string
  /** Called after every act. */
  readonly done: () => void
}

const steers = {
  pause: { rule: 'pause', summary: 'Take nothing more in until it is resumed' },
  resume: { rule: 'resume', summary: 'Go on where it was paused' },
  rebuild: { rule: 'rebuild', summary: 'Build a read model again beside the one that serves' },
  'stop-rebuild': { rule: 'stopRebuild', summary: 'End a rebuild; the read model that serves stays' },
} as const
type Steer = keyof typeof steers

const refusals = {
  401: problemAnswer('Nobody is signed in.'),
  403: problemAnswer('Whoever is signed in is no operator.'),
  422: problemAnswer('Something in what was sent is not right.'),
  503: problemAnswer('What keeps the wishes cannot be reached now.'),
}

export const registerOperatorActs = async (server: HttpServer, options: Options): Promise<void> => {
  const { followers, people, node, done } = options

  /** @throws Problem 409 when somebody means the file of another node */
  const followerOf = (name: string, shownBy: string | undefined): Follower => {
    const found = followers.find((one) => one.name === name)
    if (!found) throw new Problem(404, 'unknown_follower', `There is no ${name}.`)
    if (found.kind === 'SQLite' && shownBy !== undefined && shownBy !== node)
      throw new Problem(409, 'another_node', `This is node ${node}, and ${name} was shown by ${shownBy}. Look again.`)
    return found
  }

  /** @throws Problem 503 when the wish could not be kept, unless it was refused */
  const keeping = async <T>(act: Promise<T>): Promise<T> => {
    try {
      return await act
    } catch (error) {
      if (error instanceof Rejection) throw error
      server.log.warn({ err: error }, "an operator's wish was not kept")
      throw new Problem(503, 'wish_not_kept', 'What keeps the wishes cannot be reached. Try again in a moment.')
    } finally {
      done()
    }
  }

  const askedBefore = async (code: string, what: string, { by, at }: Wish) => {
    const { name = by } = named(await people.namesOf([by]), 'name', by)
    return new Problem(409, code, `${name} asked for ${what} at ${at.toISOString()}, and it is under way.`)
  }

  const steer = async (act: Steer, follower: Follower, by: string): Promise<void> => {
    if (act === 'pause') return keeping(pause(follower, by))
    if (act === 'resume') return keeping(resume(follower))
    if (act === 'stop-rebuild') return keeping(stopRebuild(follower))
    const underWay = await keeping(rebuild(follower, by))
    if (underWay) throw await askedBefore('rebuild_under_way', `a rebuild of ${follower.name}`, underWay)
  }

  for (const [act, { rule, summary }] of Object.entries(steers) as [Steer, (typeof steers)[Steer]][])
    server.post(
      `/api/operations/followers/:name/${act}`,
      {
        config: { rules: operationsRules[rule], leavesNoEvent: true, about: 'name' },
        schema: {
          tags: ['operations'],
          summary,
          params: z.object({ name: followerName }),
          body: steerInput.default({}),
          response: {
            202: asked,
            ...refusals,
            409: problemAnswer('Another node, or a rebuild is under way: by whom.'),
          },
        },
      },
      async ({ params, body, actor }, reply) => {
        await steer(act, followerOf(params.name, body.node), actor.sub)
        return reply.status(202).send({ follower: params.name })
      },
    )

  const parkedRefusals = {
    ...refusals,
    404: problemAnswer('It is not parked there.'),
    409: problemAnswer('Another node.'),
  }

  server.post(
    '/api/operations/parked/:id/retry',
    {
      config: { rules: operationsRules.retryParked, leavesNoEvent: true },
      schema: {
        tags: ['operations'],
        summary: 'Try a parked event again, and what waits behind it',
        params: z.object({ id: uuid }),
        body: retryInput,
        response: { 202: asked, ...parkedRefusals },
      },
    },
    async ({ params, body, actor }, reply) => {
      await keeping(retry(followerOf(body.follower, body.node), params.id, actor.sub))
      return reply.status(202).send({ follower: body.follower })
    },
  )

  server.post(
    '/api/operations/parked/:id/skip',
    {
      config: { rules: operationsRules.skipParked, leavesNoEvent: true },
      schema: {
        tags: ['operations'],
        summary: 'Go on without a parked event',
        description: 'Who skipped it and why stays on the list; a read model that is built again skips it, too.',
        params: z.object({ id: uuid }),
        body: skipInput,
        response: { 202: asked, ...parkedRefusals },
      },
    },
    async ({ params, body: { follower, node: shownBy, reason }, actor }, reply) => {
      const earlier = await keeping(skip(followerOf(follower, shownBy), params.id, { by: actor.sub, reason }))
      if (earlier) throw await askedBefore('already_skipped', 'this event to be skipped', earlier)
      return reply.status(202).send({ follower })
    },
  )
}
