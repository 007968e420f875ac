#!/usr/bin/env node
// Runs a command of this repository with the right Node.js and with all dependencies installed.
//
//   node scripts/run.mjs                     prepare only
//   node scripts/run.mjs <command> [args]    prepare, then run it (the pinned node, pnpm and node_modules/.bin lead PATH)
//
// This is the only file the machine's own Node.js executes, so it is plain JavaScript without dependencies
// and works on Node.js 18 and newer. Everything it fetches comes from the npm registry:
//   1. pnpm, at the version of package.json#packageManager      -> .tools/          (through npm)
//   2. Node.js, only if the running one is too old              -> scripts/node/      (through pnpm, frozen lockfile)
//   3. the workspace's dependencies                             -> node_modules/    (through pnpm, frozen lockfile)
// When all three are in place (a hash over every input file says so) it starts nothing and costs about 50 ms.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const at = (...parts) => path.join(root, ...parts)
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))
const say = (text) => process.stderr.write(`[setup] ${text}\n`)
const fail = (text) => {
  process.stderr.write(`[setup] ${text}\n`)
  process.exit(1)
}

const MIN_NODE_MAJOR = 24
const manifest = readJson(at('package.json'))
const pnpmVersion = /^pnpm@([^+]+)/.exec(manifest.packageManager ?? '')?.[1]
if (!pnpmVersion) fail('package.json#packageManager must read "pnpm@<exact version>".')

// ---- where things are -------------------------------------------------------------------------------------------
const toolsDir = at('.tools')
const pnpmPackage = path.join(toolsDir, 'node_modules', 'pnpm')
const pnpmBinDir = path.join(toolsDir, 'node_modules', '.bin')
const pnpmExe = path.join(pnpmPackage, process.platform === 'win32' ? 'pnpm.exe' : 'pnpm')

const ownNodeIsGood = Number(process.versions.node.split('.')[0]) >= MIN_NODE_MAJOR
const nodePackage = `${process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'}-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
const localNodeHome = at('scripts', 'node', 'node_modules', nodePackage)
const nodeHome = ownNodeIsGood ? path.dirname(path.dirname(process.execPath)) : localNodeHome
const nodeBinDir = ownNodeIsGood ? path.dirname(process.execPath) : path.join(localNodeHome, 'bin')

function childEnv() {
  const env = { ...process.env }
  // The old Node's npm announces itself to every script; tools that look at these would run the wrong Node.
  delete env.npm_node_execpath
  delete env.npm_execpath
  delete env.NODE
  env.PATH = [nodeBinDir, pnpmBinDir, at('node_modules', '.bin'), process.env.PATH].join(path.delimiter)
  // Native addons must compile against the headers of the Node that will load them, whatever ~/.npmrc says.
  if (existsSync(path.join(nodeHome, 'include', 'node', 'node.h'))) env.npm_config_nodedir = nodeHome
  // A service compiles some hundred modules when it starts, and every test of the system starts a dozen services.
  env.NODE_COMPILE_CACHE ??= path.join(toolsDir, 'compile-cache')
  return env
}

function run(command, args, options) {
  const result = spawnSync(command, args, { stdio: ['ignore', 2, 2], env: childEnv(), ...options })
  if (result.error) fail(`${path.basename(command)} could not be started: ${result.error.message}`)
  if (result.status !== 0)
    fail(
      `"${path.basename(command)} ${args.join(' ')}" failed (${result.signal ?? `exit ${result.status}`}); its own message is above.\n` +
        '[setup] - the npm registry did not answer: check `npm config get registry`, then run the same command again\n' +
        '[setup] - a package.json changed without the lockfile: run `npm run pnpm install` and commit pnpm-lock.yaml',
    )
}

// ---- is everything in place? ------------------------------------------------------------------------------------
function inputs() {
  const files = [
    'package.json',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'scripts/run.mjs',
    'scripts/node/pnpm-lock.yaml',
  ]
  const globs = readFileSync(at('pnpm-workspace.yaml'), 'utf8').matchAll(/^\s*-\s*['"]?([\w./-]+)\/\*['"]?\s*$/gm)
  for (const [, dir] of globs)
    for (const entry of existsSync(at(dir)) ? readdirSync(at(dir)).sort() : [])
      files.push(`${dir}/${entry}/package.json`)
  return files.filter((file) => existsSync(at(file)))
}
function fingerprint() {
  const hash = createHash('sha256').update(
    `${process.platform}-${process.arch} ${ownNodeIsGood ? process.version : 'local'}\n`,
  )
  for (const file of inputs())
    hash
      .update(`${file}\0`)
      .update(readFileSync(at(file)))
      .update('\0')
  return hash.digest('hex')
}
const stampFile = at('node_modules', '.setup-stamp')
const npmWasHere = () => existsSync(at('node_modules', '.package-lock.json'))
const isReady = () =>
  existsSync(stampFile) &&
  !npmWasHere() &&
  readFileSync(stampFile, 'utf8') === fingerprint() &&
  existsSync(pnpmExe) &&
  existsSync(nodeBinDir)

// ---- one setup at a time ----------------------------------------------------------------------------------------
const lockFile = path.join(toolsDir, 'setup.lock')
const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
function withLock(work) {
  mkdirSync(toolsDir, { recursive: true })
  const nap = new Int32Array(new SharedArrayBuffer(4))
  for (let waits = 0; ; waits++) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      const pid = Number(existsSync(lockFile) && readFileSync(lockFile, 'utf8'))
      if (pid && !isAlive(pid)) rmSync(lockFile, { force: true })
      else if (waits === 0) say('another setup of this checkout is running; waiting for it ...')
      Atomics.wait(nap, 0, 0, 200)
    }
  }
  const release = () => rmSync(lockFile, { force: true })
  process.once('exit', release) // fail() exits in the middle of the work
  work()
  process.off('exit', release)
  release()
}

// ---- the three steps --------------------------------------------------------------------------------------------
function prepare() {
  if (isReady()) return // another process did it while this one waited
  const started = Date.now()

  const pnpmManifest = path.join(pnpmPackage, 'package.json')
  if (!existsSync(pnpmExe) || readJson(pnpmManifest).version !== pnpmVersion) {
    say(`getting pnpm ${pnpmVersion} ...`)
    // No lifecycle scripts and no lockfile (npm's own would not survive a registry mirror that lacks other platforms' binaries);
    // pnpm's install script is run by hand below: it links the platform's native binary over the placeholder.
    const flags = [
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--no-update-notifier',
      '--loglevel=error',
    ]
    run(
      process.platform === 'win32' ? 'npm.cmd' : 'npm',
      ['install', '--prefix', toolsDir, ...flags, `pnpm@${pnpmVersion}`],
      {
        cwd: toolsDir,
        env: process.env,
        shell: process.platform === 'win32',
      },
    )
    run(process.execPath, [path.join(pnpmPackage, 'install.js')], { cwd: pnpmPackage })
  }

  if (!ownNodeIsGood) {
    const want = readJson(at('scripts', 'node', 'package.json')).dependencies[nodePackage]
    if (!want)
      fail(
        `Node.js ${process.versions.node} is too old and scripts/node has no build for ${process.platform}-${process.arch}: install Node.js ${MIN_NODE_MAJOR} or newer.`,
      )
    const have = existsSync(path.join(nodeBinDir, 'node')) && readJson(path.join(localNodeHome, 'package.json')).version
    if (have !== want) {
      say(
        `Node.js ${process.versions.node} is older than ${MIN_NODE_MAJOR}; getting Node.js ${want} for this checkout ...`,
      )
      run(pnpmExe, ['--dir', at('scripts', 'node'), 'install', '--frozen-lockfile', '--reporter=silent'], {
        cwd: at('scripts', 'node'),
      })
    }
  }

  if (command === 'pnpm') return // `pnpm install`, `pnpm add`, ... must work while package.json and the lockfile disagree
  if (npmWasHere()) {
    say('node_modules was changed by npm; making it again ...')
    rmSync(at('node_modules'), { recursive: true, force: true })
  }
  say('installing dependencies ...')
  run(pnpmExe, ['install', '--frozen-lockfile', '--reporter=append-only'], {
    cwd: root,
    env: { ...childEnv(), CI: 'true' },
  })
  writeFileSync(stampFile, fingerprint())
  say(`ready in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

const [command, ...args] = process.argv.slice(2)
if (!isReady()) withLock(prepare)

// ---- run the command --------------------------------------------------------------------------------------------
if (command !== undefined) {
  const child = spawn(command === 'node' ? path.join(nodeBinDir, 'node') : command, args, {
    stdio: 'inherit',
    env: childEnv(),
    shell: process.platform === 'win32',
  })
  // On a terminal the whole process group receives Ctrl-C; forwarding it would deliver it twice.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // A killed npm or shell takes no children with it; do not leave a server behind that still holds its port.
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 250).unref()
  child.on('error', (error) => fail(`${command} could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(signal ? 128 + os.constants.signals[signal] : code))
}
