// The edge projector's settings.
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z.object({
  ...serverSettings(8082),
  EVENTSTORE_URL: z.string().default('esdb://localhost:2113?tls=false'),
  /** The folder the gateway reads; both are on one machine. */
  EDGE_DIRECTORY: z.string().default('.data/edge'),
  /** Where a new node finds its read models as a peer has them; empty for nowhere: it reads all events. */
  EDGE_SEED_DIRECTORY: z.string().default(''),
})
