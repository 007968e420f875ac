// The jobs service's settings.
import { keyLengthMin } from '@headwater/eventstore/keyed-id'
import { authSettings } from '@headwater/http-kit/auth'
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z.object({
  ...serverSettings(8084),
  ...authSettings,
  EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
  DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/postgres'),
  CREDIT_BUREAU_URL: z.url().default('http://127.0.0.1:8090'),
  /** The loan service's own: it makes the names of applicants' streams. */
  APPLICANT_KEY: z.string().min(keyLengthMin),
})
