// The mail server's stand-in: takes every mail by SMTP, keeps one of each Message-ID, and shows them in an inbox.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { SMTPServer } from 'smtp-server'
import { z } from 'zod'
import { inboxPage } from './inbox-page.ts'
import { type Mail, mail } from './mail.ts'

const mailBytesMax = 1024 * 1024
const mailsKeptMax = 1_000

/** Header and text of a mail of one plain part, as ours are. */
const parse = (raw: string) => {
  const [head = '', ...rest] = raw.split('\r\n\r\n')
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')
  const header = (name: string) =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  return {
    messageId: header('message-id'),
    subject: header('subject') ?? '',
    text: rest.join('\n\n').replaceAll('\r\n', '\n'),
  }
}

export type MailSink = {
  readonly port: number
  /** The newest first. */
  readonly mails: () => readonly Mail[]
  readonly close: () => Promise<void>
}

export const startMailSink = async ({
  host,
  port,
  logger,
  kept = () => undefined,
}: {
  readonly host: string
  readonly port: number
  readonly logger: Logger
  /** Called when a mail is kept, before its sender is told so. */
  readonly kept?: (() => void) | undefined
}): Promise<MailSink> => {
  const mails = new Map<string, Mail>()

  const keep = (raw: string, to: string[]) => {
    const { messageId, subject, text } = parse(raw)
    const id = messageId ?? createHash('sha256').update(raw).digest('hex')
    const known = mails.get(id)
    const receivedAt = known?.receivedAt ?? new Date().toISOString()
    mails.set(id, { messageId: id, to, subject, text, receivedAt, deliveries: (known?.deliveries ?? 0) + 1 })
    const [oldest] = mails.keys()
    if (mails.size > mailsKeptMax && oldest !== undefined) mails.delete(oldest)
  }

  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    authOptional: true,
    size: mailBytesMax,
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        if (stream.sizeExceeded) return done(Object.assign(new Error('The mail is too large.'), { responseCode: 552 }))
        keep(
          Buffer.concat(chunks).toString(),
          session.envelope.rcptTo.map(({ address }) => address),
        )
        kept()
        done()
      })
    },
  })
  server.on('error', (error) => logger.warn({ err: error }, 'a mail did not arrive'))
  await once(server.listen(port, host), 'listening')
  return {
    port: (server.server.address() as AddressInfo).port,
    mails: () => [...mails.values()].toReversed(),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

export const registerInbox = (server: HttpServer, sink: Pick<MailSink, 'mails'>): void => {
  server.get(
    '/v1/mails',
    {
      schema: {
        summary: 'The mails that arrived, the newest first',
        response: { 200: z.object({ mails: z.array(mail) }) },
      },
    },
    async () => ({ mails: [...sink.mails()] }),
  )
  server.get('/inbox', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(inboxPage(sink.mails())),
  )
}
