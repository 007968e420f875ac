// `npm run test:long`: the forms of the tests that take hours rather than minutes.
import { spawnSync } from 'node:child_process'

const chaosRounds = 200

const { status } = spawnSync(
  'vitest',
  ['run', '--config', 'scripts/vitest.config.ts', '--root', '.', 'scripts/test/chaos'],
  {
    stdio: 'inherit',
    env: { CHAOS_ROUNDS: String(chaosRounds), ...process.env },
  },
)
process.exit(status ?? 1)
