// The command for an operator who has restored the event store, before anything is started again.
import { parseArgs } from 'node:util'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { formatPosition } from '@headwater/eventstore/position'
import { loadConfig } from '@headwater/http-kit/config'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openDatabase } from '@headwater/jobs/database'
import { afterRestore } from '@headwater/jobs/restored'
import { z } from 'zod'
import { config } from './config.ts'

const usage = `node src/restored-main.ts --backup-taken <moment, such as 2026-11-25T03:00:00Z>

After the event store was restored from a backup whose making began at that moment or later: names the event store anew and
sets the jobs right. Run it before anything else is started. Reads EVENTSTORE_URL and DATABASE_URL. See docs/restore.md.
`

const readMoment = (): Date => {
  const { values } = parseArgs({ options: { 'backup-taken': { type: 'string', default: '' } } })
  const moment = z.iso.datetime({ offset: true }).safeParse(values['backup-taken'])
  if (!moment.success) throw new Error(`--backup-taken needs a moment with its time zone.\n${usage}`)
  return new Date(moment.data)
}

const run = async (): Promise<void> => {
  const backupTaken = readMoment()
  const { EVENTSTORE_URL, DATABASE_URL, LOG_LEVEL } = config.shape
  const settings = loadConfig(z.object({ EVENTSTORE_URL, DATABASE_URL, LOG_LEVEL: LOG_LEVEL.default('warn') }))
  const logger = createLogger({ service: 'jobs', level: settings.LOG_LEVEL })
  const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
  const { pool, prepare } = openDatabase(settings.DATABASE_URL, logger)
  try {
    await prepare()
    const { storeId, position, again, forgotten } = await afterRestore(store, pool, backupTaken)
    const follows = formatPosition(position)
    process.stdout.write(
      `The event store is ${storeId} now: read models that are not built from it say "rebuild needed".\n` +
        `Jobs follow from ${follows}. Run again: ${again}. Entered again when their events are there: ${forgotten}.\n`,
    )
  } finally {
    await Promise.all([store.close(), pool.end()])
  }
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
})
