// `npm test`: every check of the repository, then every test. With arguments: only the tests whose path matches them.
import { spawnSync } from 'node:child_process'

const step = (name: string, command: string, ...args: string[]) => {
  const started = performance.now()
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' })
  if (error) throw error
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`[${name}] ${status === 0 ? 'ok' : 'FAILED'} in ${seconds} s`)
  if (status !== 0) process.exit(status ?? 1)
}

const only = process.argv.slice(2)
if (only.length === 0) {
  step('lint and format', 'biome', 'check', '--error-on-warnings')
  step('types', 'tsc', '-p', 'tsconfig.base.json')
  step('types of the deciders', 'tsc', '-p', 'packages/deciders')
  step('routes of the pages', 'services/web/node_modules/.bin/react-router', 'typegen', 'services/web')
  step('types of the pages', 'tsc', '-p', 'services/web')
  step('unused code', 'knip')
  step('tidy', process.execPath, 'scripts/tidy.ts')
}
step('tests', 'vitest', 'run', '--config', 'scripts/vitest.config.ts', '--root', '.', ...only)
