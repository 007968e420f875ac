// The consent service's settings.
import { consent } from '@headwater/deciders/consent/context'
import { authSettings } from '@headwater/http-kit/access/auth'
import { auditSettings, serverSettings } from '@headwater/http-kit/config'
import { directorySettings } from '@headwater/http-kit/server/people-server'
import { z } from 'zod'

export const config = z.object({
  ...serverSettings(consent.service.port),
  ...authSettings,
  ...auditSettings,
  ...directorySettings,
  EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
})
