// A mail as the stand-in of the mail server keeps it.
import { z } from 'zod'

export const mail = z.object({
  messageId: z.string(),
  to: z.array(z.string()),
  subject: z.string(),
  text: z.string(),
  receivedAt: z.string(),
  /** How often it came. */
  deliveries: z.int(),
})

export type Mail = z.infer<typeof mail>
