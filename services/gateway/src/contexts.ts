// The contexts that have code of their own in the gateway.
import { auditInGateway } from './audit/context.ts'
import { consentInGateway } from './consent/context.ts'
import type { GatewayContext } from './gateway-context.ts'
import { loanInGateway } from './loan/context.ts'

export const gatewayContexts: readonly GatewayContext[] = [loanInGateway, consentInGateway, auditInGateway]
