// `npm run chaos`: breaks a whole system again and again and compares what it says. Options after `--`: `--rounds <number>`,
// `--seed <number>` (of the first round, each further one has the next; a failing round names its own), `--report <file>` (JSON).
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const roundsMax = 100_000
const seedMax = 2 ** 31

const { values } = parseArgs({
  // npm takes `--` away, others hand it on.
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: { rounds: { type: 'string' }, seed: { type: 'string' }, report: { type: 'string' } },
})

const whole = (name: 'rounds' | 'seed', least: number, most: number): Record<string, string> => {
  const text = values[name]
  if (text === undefined) return {}
  if (!/^\d+$/.test(text) || Number(text) < least || Number(text) > most) {
    process.stderr.write(`--${name} is a whole number from ${least} to ${most}.\n`)
    process.exit(1)
  }
  return { [`CHAOS_${name.toUpperCase()}`]: text }
}

const settings = {
  ...whole('rounds', 1, roundsMax),
  ...whole('seed', 0, seedMax),
  ...(values.report !== undefined && { CHAOS_REPORT: values.report }),
}
const config = ['--config', 'scripts/vitest.config.ts', '--root', '.']
const { status } = spawnSync('vitest', ['run', ...config, 'scripts/test/chaos.test.ts'], {
  stdio: 'inherit',
  env: { ...process.env, ...settings },
})
process.exit(status ?? 1)
