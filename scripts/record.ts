// `npm run record -- loan-<id> ...`: keeps the events of streams as they are stored, for what has to read them ever after (docs/evolving-events.md).
import { connectEventStore } from '@headwater/eventstore/client/client'
import pino from 'pino'
import { keepEvent } from './recorded.ts'

const { EVENTSTORE_URL = 'esdb://localhost:2113?tls=false' } = process.env
const eventsMax = 1_000
const streams = process.argv.slice(2)

if (streams.length === 0) {
  process.stderr.write(
    'Which streams? Such as loan-<id>, of `npm start` while that runs: without personal data of anybody real.\n',
  )
  process.exit(1)
}
const store = connectEventStore({ url: EVENTSTORE_URL, logger: pino({ level: 'silent' }) })
try {
  for (const stream of streams) {
    const events = await store.readStream(stream, 0n, eventsMax)
    if (events.length === 0) throw new Error(`The store at ${EVENTSTORE_URL} has no stream ${stream}.`)
    for (const event of events) process.stdout.write(`${event.revision}@${stream} ${keepEvent(event)}\n`)
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
} finally {
  await store.close()
}
