// Loans in the gateway.
import type { GatewayContext } from '../gateway-context.ts'
import { loanForwardings } from './loan-commands.ts'
import { registerLoanHistory } from './loan-history.ts'
import { registerLoanChanges } from './loan-past.ts'
import { registerQueries } from './queries.ts'
import { registerRevealNationalId } from './reveal-national-id.ts'
import { loanTopics } from './topics.ts'
import { registerUnderwriting } from './underwriting.ts'

export const loanInGateway: GatewayContext = {
  topics: loanTopics,
  forwardings: ({ people, applying }) => loanForwardings(people, applying),
  register: ({ server, edge, postgres, store, people, audit }) => {
    const loans = edge('loans')
    registerQueries(server, { ...loans, store })
    registerUnderwriting(server, { reader: postgres('underwriting'), people })
    registerLoanHistory(server, { store, people })
    registerLoanChanges(server, store)
    registerRevealNationalId(server, { ...loans, audit })
  },
}
