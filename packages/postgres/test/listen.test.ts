// Listening to a channel of Postgres goes on, whatever becomes of the connection; also when nobody says that it is dead.

import { testDatabase } from '@headwater/test-kit/database'
import { startLine } from '@headwater/test-kit/line'
import { logger, until } from '@headwater/test-kit/toys/tills'
import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../src/listen.ts'

test.each(['cut', 'silence'] as const)(
  'after a %s of the connection what is notified is heard again',
  async (fault) => {
    const database = await testDatabase()
    onTestFinished(database.remove)
    const line = await startLine(Number(new URL(database.url).port))
    onTestFinished(line.close)
    let heard = 0
    const url = database.url.replace(/:\d+\//, `:${line.port}/`)
    const listening = listen(url, 'channel', () => heard++, logger)
    onTestFinished(listening.close)
    await until('it listens', () => heard === 1)
    await database.client.query('notify channel')
    await until('it is heard', () => heard === 2)

    if (fault === 'cut') line.cut()
    else line.silence({ newToo: false })
    await until('it listens again: something may have been missed', () => heard === 3)
    await database.client.query('notify channel')
    await until('it is heard', () => heard === 4)
    expect(line.connections()).toBe(fault === 'cut' ? 1 : 2)
  },
)
