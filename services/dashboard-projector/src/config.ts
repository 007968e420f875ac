// The dashboard projector's settings.
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z.object({
  ...serverSettings(8083),
  EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
  DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/postgres'),
})
