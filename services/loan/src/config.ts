// The loan service's settings.
import { authSettings, refuseDevelopmentActorInProduction } from '@headwater/http-kit/auth'
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z
  .object({
    ...serverSettings(8081),
    ...authSettings,
    EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
    CREDIT_BUREAU_URL: z.url().default('http://127.0.0.1:8090'),
  })
  .check(refuseDevelopmentActorInProduction)
