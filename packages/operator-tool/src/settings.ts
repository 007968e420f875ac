// The tool's settings: the same variables, with the same defaults, as the services whose data it looks at.
import { auditSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

/** Where `npm start` has the edge; elsewhere there may be none. */
export const edgeDirectoryDefault = '.data/edge'

export const config = z.object({
  ...auditSettings,
  EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
  DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/postgres'),
  EDGE_DIRECTORY: z.string().default(edgeDirectoryDefault),
  /** Checked only where it is set. */
  OIDC_ISSUER: z.string().optional(),
})

export type Settings = z.output<typeof config>
