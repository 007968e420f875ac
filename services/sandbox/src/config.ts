// The sandbox's settings.
import { serverSettings } from '@headwater/http-kit/config'
import { z } from 'zod'

export const config = z.object({
  ...serverSettings(8090),
  /** Where mails arrive. */
  SMTP_PORT: z.coerce.number().int().min(0).max(65_535).default(8025),
})
