// Consents in the gateway.
import type { GatewayContext } from '../gateway-context.ts'
import { registerConsentCheck } from './consent-check.ts'
import { registerConsentHistory } from './consent-history.ts'
import { registerConsents } from './consents.ts'
import { consentTopics } from './topics.ts'

export const consentInGateway: GatewayContext = {
  topics: consentTopics,
  register: ({ server, edge, store, people, audit, checkWaitMs }) => {
    const consents = edge('consents')
    registerConsentCheck(server, { currency: consents.currency, audit, waitMs: checkWaitMs })
    registerConsents(server, { reader: consents.reader, people })
    registerConsentHistory(server, { ...consents, store, people })
  },
}
