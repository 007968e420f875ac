// Builds the pages when what they are made of has changed since the last build; otherwise takes a few milliseconds.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')
const web = path.join(root, 'services', 'web')
/** What the last build was made of. */
const stamp = path.join(web, 'dist', 'sources.sha256')
const sources = [
  'services/web/app/**/*',
  'services/web/*.{json,ts}',
  'packages/deciders/src/**/*.ts',
  'pnpm-lock.yaml',
] as const

const hashOfSources = (): string => {
  const hash = createHash('sha256')
  for (const file of globSync([...sources], { cwd: root }).sort()) {
    const at = path.join(root, file)
    if (statSync(at).isFile()) hash.update(`${file}\0`).update(readFileSync(at)).update('\0')
  }
  return hash.digest('hex')
}

/** @throws when the pages cannot be built; what the build said is on the terminal */
export const buildWeb = (): void => {
  const wanted = hashOfSources()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  execFileSync(path.join(web, 'node_modules', '.bin', 'react-router'), ['build', '--logLevel', 'warn'], {
    cwd: web,
    // Whoever asks for it, tests too: what is tested is what runs.
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  writeFileSync(stamp, wanted)
}
