// The audit trail in the gateway.
import type { GatewayContext } from '../gateway-context.ts'
import { registerAudit } from './audit.ts'

export const auditInGateway: GatewayContext = {
  topics: {},
  register: ({ server, postgres, people }) => registerAudit(server, { reader: postgres('audit'), people }),
}
