// Sends mails by SMTP, and tells those that certainly did not go from those of which nobody knows.

import { createTransport } from 'nodemailer'
import type { Logger } from 'pino'

const connectTimeoutMs = 5_000
const answerTimeoutMs = 10_000
const connectionsMax = 4

/** The server did not take it. */
export class NotSent extends Error {
  override readonly name = 'NotSent'
}

export type Mail = {
  /** The same for every try: with it, whoever gets it twice knows that it is one. */
  readonly id: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

export type Mailer = {
  /** @throws NotSent, or another error when the mail may have gone */
  readonly send: (mail: Mail) => Promise<void>
  readonly close: () => void
}

/** What happened before the text of the mail was sent. */
const beforeTheText = ['CONN', 'EHLO', 'HELO', 'STARTTLS', 'AUTH', 'MAIL FROM', 'RCPT TO']

/** The server said no, or was not reached. A line that breaks while the text is on its way says nothing. */
const certainlyNotSent = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  const { code, command, responseCode } = error as Error & { code?: string; command?: string; responseCode?: number }
  if (typeof responseCode === 'number' && responseCode >= 400) return true
  if (command !== undefined && beforeTheText.some((name) => command.startsWith(name))) return true
  return code === 'ECONNREFUSED' || code === 'EDNS' || code === 'ENOTFOUND'
}

export const connectMailer = ({
  url,
  from,
  logger,
}: {
  /** `smtp://host:port` or `smtps://user:password@host` */
  readonly url: string
  readonly from: string
  readonly logger: Logger
}): Mailer => {
  const transport = createTransport(
    {
      url,
      pool: true,
      maxConnections: connectionsMax,
      connectionTimeout: connectTimeoutMs,
      greetingTimeout: answerTimeoutMs,
      socketTimeout: answerTimeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  )
  const domain = /@([^>\s]+)/.exec(from)?.[1] ?? 'headwater.invalid'
  return {
    send: async ({ id, to, subject, text }) => {
      try {
        await transport.sendMail({ to, subject, text, messageId: `<${id}@${domain}>` })
      } catch (error) {
        // Not the error itself: it may hold the address.
        const { code, command, responseCode } = error as { code?: string; command?: string; responseCode?: number }
        const sent = certainlyNotSent(error) ? 'no' : 'not known'
        logger.warn({ mailId: id, code, command, responseCode, sent }, 'a mail was not sent')
        const why = `${code ?? 'error'} ${responseCode ?? ''} ${command ?? ''}`.trim()
        throw sent === 'no' ? new NotSent(why) : new Error(`It is not known whether the mail went: ${why}`)
      }
    },
    close: () => transport.close(),
  }
}
