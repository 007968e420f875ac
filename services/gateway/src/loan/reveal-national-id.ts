// Shows an underwriter the national id that is masked everywhere else, after that has been written down.

import { auditedActor } from '@headwater/deciders/audit/audit-events'
import { uuid } from '@headwater/deciders/fields'
import { loanQueryRules } from '@headwater/deciders/loan/loan-policy'
import type { Audit } from '@headwater/eventstore/audit'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { loanById } from '@headwater/read-models/loan/loans'
import { z } from 'zod'
import { problemAnswer } from '../answers.ts'
import { findCurrent, type Rows } from '../read-after.ts'

export const registerRevealNationalId = (
  server: HttpServer,
  { audit, ...loans }: Rows & { readonly audit: Pick<Audit, 'record'> },
): void => {
  server.post(
    '/api/loans/:id/reveal-national-id',
    {
      config: { rules: loanQueryRules.nationalId },
      schema: {
        tags: ['loan'],
        summary: 'The national id of the applicant, unmasked',
        description: 'Written down in the audit trail first; while that cannot be done, nothing is revealed.',
        params: z.object({ id: uuid }),
        response: {
          200: z.object({ nationalId: z.string() }),
          401: problemAnswer('Nobody is signed in.'),
          403: problemAnswer('Whoever is signed in is no underwriter.'),
          404: problemAnswer('There is no such loan.'),
          503: problemAnswer(
            'It cannot be written down now that you asked, or whether there is such a loan is not known here yet.',
          ),
        },
      },
    },
    async ({ params, actor: asking, id: traceparent }, reply) => {
      const actor = auditedActor(asking)
      if (!actor) throw new Error('The rules let nobody come here who is not known.')
      const loan = await findCurrent(loans, 'loan', (db) => db.rows(loanById(params.id))[0])
      if (!loan) throw new Problem(404, 'loan_not_found', 'There is no such loan.')
      const data = { actor, at: new Date().toISOString(), loanId: loan.loanId }
      await audit.record({ type: 'NationalIdRevealed', data }, { traceparent })
      reply.header('cache-control', 'no-store')
      return { nationalId: loan.nationalId }
    },
  )
}
