// Answers whether the process lives and whether it may be sent requests.
import type { FastifyPluginAsync } from 'fastify'
import { publicRoute } from '../access/access.ts'
import type { PartStatus } from './part-status.ts'

export type Readiness = {
  /**
   * `failed` when a needed part has ended; otherwise `starting` until every needed part has once served, and from then
   * on trouble is only `degraded`: what works still serves.
   */
  readonly status: 'starting' | 'ready' | 'degraded' | 'failed'
  readonly parts: Readonly<Record<string, PartStatus>>
}

export type Health = { readonly readiness: () => Promise<Readiness> }

/** Keeps a silent part from silencing the answer; below the 1 s that Kubernetes waits for a probe. */
const probeTimeoutMs = 800

const withinTimeout = async (probe: () => PartStatus | Promise<PartStatus>): Promise<PartStatus> => {
  const silence = Promise.withResolvers<PartStatus>()
  const timer = setTimeout(() => silence.resolve({ trouble: `no answer within ${probeTimeoutMs} ms` }), probeTimeoutMs)
  try {
    return await Promise.race([probe(), silence.promise])
  } catch (error) {
    return { trouble: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}

type Probes = Readonly<Record<string, () => PartStatus | Promise<PartStatus>>>

/**
 * @param needed by name, what tells how a part of the service is; a probe that throws is in trouble
 * @param useful parts without which the service also starts: their trouble only degrades it
 */
export const createHealth = (needed: Probes, useful: Probes = {}): Health => {
  let wasReady = false
  return {
    readiness: async () => {
      const parts = Object.fromEntries(
        await Promise.all(
          Object.entries({ ...needed, ...useful }).map(
            async ([name, probe]) => [name, await withinTimeout(probe)] as const,
          ),
        ),
      )
      const inTrouble = (name: string) => parts[name]?.trouble !== undefined
      const isAway = (name: string) => inTrouble(name) && parts[name]?.serves !== true
      wasReady ||= !Object.keys(needed).some(isAway)
      const statusOf = (): Readiness['status'] => {
        if (Object.keys(needed).some((name) => parts[name]?.ended)) return 'failed'
        if (!wasReady) return 'starting'
        return Object.keys(parts).some(inTrouble) ? 'degraded' : 'ready'
      }
      return { status: statusOf(), parts }
    },
  }
}

/**
 * `/health/live` answers whenever the event loop beats: the answer is the proof. `/health/ready` is 503 while starting or
 * failed, `/health/started` only while starting: for a part whose failure must not take the others of its pod out of use.
 */
export const healthRoutes =
  (health: Health): FastifyPluginAsync =>
  async (server) => {
    const hidden = { config: publicRoute, schema: { hide: true }, logLevel: 'warn' } as const
    server.get('/health/live', hidden, async () => ({ status: 'live' }))
    server.get('/health/ready', hidden, async (_request, reply) => {
      const readiness = await health.readiness()
      const serves = readiness.status === 'ready' || readiness.status === 'degraded'
      return reply.status(serves ? 200 : 503).send(readiness)
    })
    server.get('/health/started', hidden, async (_request, reply) => {
      const { status } = await health.readiness()
      return reply.status(status === 'starting' ? 503 : 200).send({ status })
    })
  }
