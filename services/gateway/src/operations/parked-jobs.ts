// What operators do about jobs that failed for good; the jobs service does it, and writes down who asked.
import { uuid } from '@headwater/deciders/fields'
import { asked, skipJobInput } from '@headwater/deciders/operations/operations'
import { operationsRules } from '@headwater/deciders/operations/operations-policy'
import { problemAnswer } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import { answerWith, connectService, registerForwarded } from '../forwarding/forwarding.ts'

type Options = {
  readonly jobsUrl: string
  /** Called after every act. */
  readonly done: () => void
}

const acts = {
  'run-again': { rule: 'runParkedJobAgain', summary: 'Run a job again that failed for good', body: undefined },
  skip: { rule: 'skipParkedJob', summary: 'Go on without a job that failed for good', body: skipJobInput },
} as const

export const registerParkedJobs = async (server: HttpServer, { jobsUrl, done }: Options): Promise<void> => {
  const jobs = connectService('jobs', jobsUrl)
  server.addHook('onClose', jobs.close)

  await registerForwarded(server, (scope) => {
    for (const [act, { rule, summary, body }] of Object.entries(acts))
      scope.post(
        `/api/operations/parked-jobs/:id/${act}`,
        {
          config: { rules: operationsRules[rule] },
          schema: {
            tags: ['operations'],
            summary,
            params: z.object({ id: uuid }),
            ...(body && { body }),
            response: {
              202: asked,
              401: problemAnswer('Nobody is signed in.'),
              403: problemAnswer('Whoever is signed in is no operator.'),
              404: problemAnswer('There is no such job parked.'),
              422: problemAnswer('Something in what was sent is not right.'),
              503: problemAnswer('The jobs service does not answer.'),
            },
          },
        },
        async (request, reply) => {
          const { id } = request.params as { readonly id: string }
          const path = `/parked-jobs/${encodeURIComponent(id)}/${act}`
          const answer = await jobs.forward(request, request.allowed[0]?.token, path)
          done()
          return answer.status < 300 ? reply.status(202).send({ follower: 'jobs' }) : answerWith(reply, answer)
        },
      )
  })
}
