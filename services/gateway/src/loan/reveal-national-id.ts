// Shows an underwriter the national id that is masked everywhere else, after that has been written down.
import { auditedActor } from '@headwater/deciders/audit/audit-events'
import { loanApi } from '@headwater/deciders/loan/api'
import type { Audit } from '@headwater/eventstore/audit'
import { Problem } from '@headwater/http-kit/commands/problem'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { loanById } from '@headwater/read-models/loan/loans'
import { findCurrent, type Rows } from '../read-after.ts'

export const registerRevealNationalId = (
  server: HttpServer,
  { audit, ...loans }: Rows & { readonly audit: Pick<Audit, 'record'> },
): void => {
  registerQuery(
    server,
    'loan',
    loanApi.queries.nationalId,
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
