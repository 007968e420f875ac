// The gateway's settings.

import { authSettings } from '@headwater/http-kit/auth'
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z.object({
  ...serverSettings(8080),
  ...authSettings,
  /** The folder the edge projector writes; both are on one machine. */
  EDGE_DIRECTORY: z.string().default('.data/edge'),
  EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
  DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/postgres'),
  LOAN_URL: z.url().default('http://127.0.0.1:8081'),
  WEB_URL: z.url().default('http://127.0.0.1:8085'),
})
