// The browser that tests of pages drive. They never skip: without a browser they fail and say what to do.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** For `beforeAll`: the first run on a machine may download 150 MB. */
export const launchTimeoutMs = 180_000

const known = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'].map(
  (name) => `/usr/bin/${name}`,
)

const find = (): string | undefined =>
  [process.env.CHROMIUM_PATH, ...known].find((file) => file !== undefined && existsSync(file))

const isRoot = process.getuid?.() === 0

const install = (): void => {
  if (!isRoot || !existsSync('/usr/bin/apt-get')) return
  process.stderr.write('[test] no Chromium on this machine; installing chromium-headless-shell with apt-get ...\n')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const bring = 'apt-get update && apt-get install -y --no-install-recommends chromium-headless-shell'
  // One at a time: of several files that begin together the others find what the first has brought.
  const lock = path.join(tmpdir(), 'headwater-chromium.lock')
  const once = `command -v chromium-headless-shell || { ${bring}; }`
  spawnSync('flock', [lock, 'sh', '-c', once], { stdio: ['ignore', 'ignore', 'inherit'], env })
}

export const launchBrowser = async (): Promise<Browser> => {
  if (!find()) install()
  const executablePath = find()
  if (executablePath === undefined)
    throw new Error(
      'Tests of pages need Chromium: `sudo apt-get install chromium-headless-shell`, or set CHROMIUM_PATH to a Chrome or Chromium binary.',
    )
  // Chromium refuses to run as root inside its sandbox.
  return chromium.launch({ executablePath, args: isRoot ? ['--no-sandbox'] : [] })
}
