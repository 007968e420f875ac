// Logs hold no personal data; a trace goes on through services or begins anew.
import { expect, test } from 'vitest'
import { createLogger, nextTraceparent, traceIdOf } from '../src/telemetry/telemetry.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const parentId = 'b7ad6b7169203331'
const traceparent = /^00-[\da-f]{32}-[\da-f]{16}-0[01]$/

test.each([`00-${traceId}-${parentId}-00`, `01-${traceId}-${parentId}-01-more`])('%s goes on', (header) => {
  const next = nextTraceparent(header)
  expect(next).toMatch(traceparent)
  expect(traceIdOf(next)).toBe(traceId)
  expect(next).not.toContain(parentId)
})

test.each([
  undefined,
  '',
  'nonsense',
  `ff-${traceId}-${parentId}-01`,
  `00-${'0'.repeat(32)}-${parentId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId.toUpperCase()}-${parentId}-01`,
])('%j begins a new trace', (header) => {
  const next = nextTraceparent(header)
  expect(next).toMatch(traceparent)
  expect(traceIdOf(next)).not.toBe(traceId)
})

test.each(['body', 'data', 'headers', 'row', 'nationalId', 'address', 'email', 'reason', 'purpose'])(
  '%s is never logged',
  (field) => {
    const lines: string[] = []
    const logger = createLogger({ service: 'things', level: 'info' }, { write: (line) => void lines.push(line) })
    logger.info({ [field]: 'swordfish', event: { [field]: { deep: 'swordfish' } } }, 'seen')
    expect(JSON.parse(lines.join())).toMatchObject({ level: 'info', service: 'things', msg: 'seen' })
    expect(lines.join()).not.toContain('swordfish')
  },
)
