// The stand-in mail server keeps one mail of each Message-ID and shows it, whatever is written in it.

import { connectMailer } from '@headwater/http-kit/outbound/mailer'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { expect, onTestFinished, test } from 'vitest'
import { startMailSink } from '../src/mail-sink.ts'
import { createSandbox } from '../src/sandbox.ts'

const logger = createLogger({ service: 'sandbox', level: 'silent' })

const start = async () => {
  const sink = await startMailSink({ host: '127.0.0.1', port: 0, logger })
  const sandbox = await createSandbox(logger, sink)
  const mailer = connectMailer({ url: `smtp://127.0.0.1:${sink.port}`, from: 'Us <us@headwater.example>', logger })
  onTestFinished(async () => {
    mailer.close()
    await sandbox.close()
    await sink.close()
  })
  return { sandbox, mailer, sink }
}

test('the same mail twice is one in the inbox', async () => {
  const { sandbox, mailer } = await start()
  const mail = { id: 'a', to: 'paula@example.org', subject: 'One', text: 'Line 1\nLine 2\n' }
  await mailer.send(mail)
  await mailer.send({ ...mail, id: 'b', subject: 'Two' })
  await mailer.send(mail)
  const answer = await sandbox.inject('/v1/mails')
  expect(answer.json().mails).toMatchObject([
    { messageId: '<b@headwater.example>', deliveries: 1, subject: 'Two' },
    {
      messageId: '<a@headwater.example>',
      deliveries: 2,
      to: ['paula@example.org'],
      text: expect.stringContaining('Line 1\nLine 2'),
    },
  ])
})

test('the page shows what is written as text', async () => {
  const { sandbox, mailer } = await start()
  expect((await sandbox.inject('/inbox')).body).toContain('No mails yet')
  await mailer.send({ id: 'a', to: 'paula@example.org', subject: '<b>Bold</b>', text: '<script>alert(1)</script>' })
  const { body, headers } = await sandbox.inject('/inbox')
  expect(headers['content-type']).toContain('text/html')
  expect(body).toContain('&lt;b&gt;Bold')
  expect(body).toContain('&lt;script&gt;')
  expect(body).not.toContain('<script>')
})

test('a server that is not there certainly took nothing', async () => {
  const { mailer, sink } = await start()
  await sink.close()
  const mail = { id: 'a', to: 'paula@example.org', subject: 'One', text: '' }
  await expect(mailer.send(mail)).rejects.toMatchObject({ name: 'NotSent' })
})
