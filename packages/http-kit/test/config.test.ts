// A service starts with a whole configuration or says which variables are wrong.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseConfig, serverSettings } from '../src/config.ts'

const schema = z.object({ ...serverSettings(8081), DATABASE_URL: z.url() })
const DATABASE_URL = 'postgres://localhost/headwater'

test('what is not set has its default, and empty means not set', () => {
  expect(parseConfig(schema, { DATABASE_URL, PORT: '', OTHER: 'x' })).toEqual({
    HOST: '127.0.0.1',
    PORT: 8081,
    LOG_LEVEL: 'info',
    DATABASE_URL,
  })
})

test('every wrong variable is named, and no value is shown', () => {
  const env = { PORT: '70000', LOG_LEVEL: 'loud', DATABASE_URL: 'hunter2' }
  expect(() => parseConfig(schema, env)).toThrow(/^PORT: .+\nLOG_LEVEL: .+\nDATABASE_URL: .+$/)
  expect(() => parseConfig(schema, env)).not.toThrow(/hunter2/)
})
