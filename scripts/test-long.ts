// `npm run test:long`: the forms of the tests that take hours rather than minutes.
import { spawnSync } from 'node:child_process'

const chaosRounds = 200
const malformedRequests = 10_000
/** Of each of 16. */
const writerEvents = 12_500
const soakMinutes = 30
/** Of concurrent clients of the embedded event store. */
const historyRounds = 200
/** Calls and connections that the embedded event store is not to mind. */
const oddities = 10_000

const files = [
  'scripts/test/chaos.test.ts',
  'scripts/test/malformed',
  'services/web/test',
  'scripts/test/containers.test',
  'packages/read-models/test/every-event',
  'packages/embedded-eventstore/test/history.test',
  'packages/embedded-eventstore/test/fuzz',
]
const env = {
  CHAOS_ROUNDS: String(chaosRounds),
  MALFORMED_REQUESTS: String(malformedRequests),
  WRITER_EVENTS: String(writerEvents),
  HISTORY_ROUNDS: String(historyRounds),
  FUZZ_CASES: String(oddities),
  PAGES_EVERY_WAY: '1',
  IMAGES_OF_ALL: '1',
  ...process.env,
}
const run = (command: string, ...args: string[]): number =>
  spawnSync(command, args, { stdio: 'inherit', env }).status ?? 1

const statuses = [
  run('vitest', 'run', '--config', 'scripts/vitest.config.ts', '--root', '.', ...files),
  run(process.execPath, 'scripts/soak.ts', '--minutes', String(soakMinutes)),
]
process.exit(Math.max(...statuses))
