// `npm run test:long`: the forms of the tests that take hours rather than minutes.
import { spawnSync } from 'node:child_process'

const chaosRounds = 200
const malformedRequests = 10_000

const { status } = spawnSync(
  'vitest',
  ['run', '--config', 'scripts/vitest.config.ts', '--root', '.', 'scripts/test/chaos', 'scripts/test/malformed'],
  {
    stdio: 'inherit',
    env: { CHAOS_ROUNDS: String(chaosRounds), MALFORMED_REQUESTS: String(malformedRequests), ...process.env },
  },
)
process.exit(status ?? 1)
