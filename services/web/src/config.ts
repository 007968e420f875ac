// The pages' settings.
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z.object({
  ...serverSettings(8085),
  /** Where the pages ask: the same API that everybody uses. */
  GATEWAY_URL: z.url().default('http://127.0.0.1:8080'),
})
