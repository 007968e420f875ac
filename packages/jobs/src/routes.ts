// For operators: the jobs that failed for good, running one again, and going on without one.
import { uuid } from '@headwater/deciders/fields'
import { skipJobInput } from '@headwater/deciders/operations/operations'
import { operationsRules } from '@headwater/deciders/operations/operations-policy'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import type { Ledger } from './ledger/ledger.ts'

const listedMax = 100
const params = z.object({ id: uuid })
const notParked = () => new Problem(404, 'job_not_parked', 'There is no such job parked.')

export const registerRoutes = (server: HttpServer, ledger: Ledger): void => {
  server.get(
    '/parked-jobs',
    {
      config: { rules: operationsRules.parkedJobs },
      schema: { operationId: 'parkedJobs', summary: `The jobs that failed for good, the oldest ${listedMax}` },
    },
    async () => ({ jobs: await ledger.parked(listedMax), count: await ledger.parkedCount() }),
  )

  server.post(
    '/parked-jobs/:id/run-again',
    {
      config: { rules: operationsRules.runParkedJobAgain, leavesNoEvent: true },
      schema: { operationId: 'runParkedJobAgain', summary: 'Run a parked job again', params },
    },
    async (request, reply) => {
      if (await ledger.runAgain(request.params.id)) return reply.status(204).send()
      throw notParked()
    },
  )

  server.post(
    '/parked-jobs/:id/skip',
    {
      config: { rules: operationsRules.skipParkedJob, leavesNoEvent: true },
      schema: { operationId: 'skipParkedJob', summary: 'Never run a parked job', params, body: skipJobInput },
    },
    async ({ params: { id }, body: { reason }, actor }, reply) => {
      if (await ledger.skip(id, { by: actor.sub, reason })) return reply.status(204).send()
      throw notParked()
    },
  )
}
