// Who is asking, in measures: an issuer whose tokens outlast all rounds, and what a gateway is told besides.
import { randomUUID } from 'node:crypto'
import { startIssuer } from '@headwater/test-kit/issuer'

/** Longer than all rounds. */
const tokenLifetimeSeconds = 60 * 60
/** More than any measure asks: what is measured is not the refusal. */
const unlimited = String(1_000_000_000)

export const startBenchIssuer = async () => {
  const issuer = await startIssuer({ lifetimeSeconds: tokenLifetimeSeconds })
  return {
    ...issuer,
    /** For a gateway, which keeps sessions and counts in this database. */
    gatewayEnv: (databaseUrl: string): Record<string, string> => ({
      ...issuer.env,
      DATABASE_URL: databaseUrl,
      CAPABILITY_PRIVATE_KEY: issuer.capabilityPrivateKey,
      SESSION_KEY: randomUUID(),
      OIDC_CLIENT_SECRET: randomUUID(),
      APPLY_LIMIT_PER_HOUR: unlimited,
      PARTNER_LIMIT_PER_MINUTE: unlimited,
    }),
  }
}
