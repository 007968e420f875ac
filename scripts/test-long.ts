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
/** In each of them the node is killed while it links. */
const projectionRounds = 20
/** Bytes of a file that are damaged, one at a time. */
const flips = 400
/** Of each kind, through the codec of the embedded event store. */
const messages = 2_000

const files = [
  'scripts/test/chaos.test.ts',
  'scripts/test/malformed',
  'services/web/test',
  'services/identity/test/pages.test',
  'scripts/test/sign-in.test',
  'scripts/test/containers.test',
  'packages/read-models/test/every-event',
  'packages/embedded-eventstore/test/history.test',
  'packages/embedded-eventstore/test/fuzz',
  'packages/embedded-eventstore/test/projections-restart',
  'packages/embedded-eventstore/test/damage',
  'packages/embedded-eventstore/test/codec.test',
]
const env = {
  CHAOS_ROUNDS: String(chaosRounds),
  MALFORMED_REQUESTS: String(malformedRequests),
  WRITER_EVENTS: String(writerEvents),
  HISTORY_ROUNDS: String(historyRounds),
  FUZZ_CASES: String(oddities),
  PROJECTION_ROUNDS: String(projectionRounds),
  DAMAGE_FLIPS: String(flips),
  CODEC_MESSAGES: String(messages),
  LONG_FORM: '1',
  ...process.env,
}
const run = (command: string, ...args: string[]): number =>
  spawnSync(command, args, { stdio: 'inherit', env }).status ?? 1

const statuses = [
  run('vitest', 'run', '--config', 'scripts/vitest.config.ts', '--root', '.', ...files),
  run(process.execPath, 'scripts/soak.ts', '--minutes', String(soakMinutes)),
]
process.exit(Math.max(...statuses))
