// Checks of the house that no linter knows: dependencies, purity of deciders, names that must agree, file conventions, ratchets.
// `--record` keeps what the ratchets have lowered.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import { measures } from './tidy/measures.ts'
import { compare, lowered, type Recorded } from './tidy/ratchets.ts'
import { code, isTest, readSources, tracked } from './tidy/source.ts'

/** Which of our packages each of our packages may use. Services may use every package and no service. */
const mayUse: Readonly<Record<string, readonly string[]>> = {
  deciders: [],
  eventstore: ['deciders'],
  postgres: ['eventstore'],
  projections: ['deciders', 'eventstore', 'postgres'],
  'read-models': ['deciders', 'eventstore', 'postgres', 'projections'],
  'http-kit': ['deciders'],
  jobs: ['deciders', 'eventstore', 'http-kit', 'postgres', 'projections'],
  live: ['deciders', 'eventstore', 'http-kit', 'projections'],
  'third-parties': ['deciders', 'http-kit'],
  'embedded-eventstore': [],
  'test-kit': ['deciders', 'embedded-eventstore', 'eventstore', 'http-kit', 'jobs', 'projections'],
  'operator-tool': ['deciders', 'eventstore', 'jobs', 'postgres', 'projections', 'read-models', 'http-kit'],
}
/** Services that run locally and in compose only: production has its own. */
const neverInKubernetes = ['sandbox', 'identity']
/** What compose runs beside our services. */
const infrastructure = ['eventstore', 'postgres']
const sourceLinesMax = 300

const findings: string[] = []
const find = (where: string, what: string) => findings.push(`${where}: ${what}`)
const folders = (parent: string) =>
  readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
const ours = (dependencies: Record<string, string> = {}) =>
  Object.keys(dependencies)
    .filter((name) => name.startsWith('@headwater/'))
    .map((name) => name.slice('@headwater/'.length))
const linesOf = (file: string) => readFileSync(file, 'utf8').split('\n')

// Who may depend on whom.
const law: string[] = []
for (const name of folders('packages')) {
  const manifest = JSON.parse(readFileSync(`packages/${name}/package.json`, 'utf8'))
  const allowed = mayUse[name]
  if (!allowed) find(`packages/${name}`, 'is not in the dependency law (scripts/tidy.ts)')
  const used = ours(manifest.dependencies)
  for (const other of used)
    if (!allowed?.includes(other)) find(`packages/${name}/package.json`, `must not depend on ${other}`)
  law.push(`${name} <- ${used.join(', ') || 'nothing of ours'}`)
}
const services = folders('services')
for (const name of services) {
  const manifest = JSON.parse(readFileSync(`services/${name}/package.json`, 'utf8'))
  for (const other of ours(manifest.dependencies))
    if (!(other in mayUse)) find(`services/${name}/package.json`, `a service must not depend on ${other}`)
}

// A package knows no service, also not by a path.
for (const { file, imports } of readSources(code.filter((file) => /^packages\/[^/]+\/src\//.test(file))))
  for (const imported of imports)
    if (imported.startsWith('services/')) find(file, `must not import ${imported}: a package knows no service`)

// Deciders: one context never imports another; no clock, no chance.
const impure = /\bDate\.now\b|\bnew Date\b|\bMath\.random\b|\bperformance\b|\brandomUUID\b|\bset(Timeout|Interval)\b/
for (const file of code.filter((file) => file.startsWith('packages/deciders/src/')))
  linesOf(file).forEach((line, index) => {
    const where = `${file}:${index + 1}`
    if (impure.test(line)) find(where, 'time, ids and chance come in with the command')
    const inContext = /^packages\/deciders\/src\/[^/]+\//.test(file)
    if (inContext && /from '\.\.\/(?![^/']+\.ts')/.test(line)) find(where, 'a context must not import another')
  })

// Positions are pairs: operators compare them wrongly.
const place = String.raw`\b(?:\w+\.)*(?:\w*[pP]osition|\w*[cC]heckpoint|commit|prepare)\b(?!\()`
const compared = new RegExp(`${place}\\s*[<>]=?\\s|\\s[<>]=?\\s*${place}|${place}\\s*[!=]==\\s*${place}`)
const withoutCommentsAndTypes = (line: string): string => {
  const code = line.replace(/(\/\/|^\s*\/?\*).*$/, '').replaceAll('=>', '')
  const simpler = code.replaceAll(/<[^<>()]*>/g, '')
  return simpler === code ? code : withoutCommentsAndTypes(simpler)
}
const comparesAsNumbers = ['packages/eventstore/src/position.ts', 'packages/embedded-eventstore/']
for (const file of code.filter((file) => !isTest(file) && !comparesAsNumbers.some((place) => file.startsWith(place))))
  linesOf(file).forEach((line, index) => {
    if (compared.test(withoutCommentsAndTypes(line)))
      find(`${file}:${index + 1}`, 'compare positions with comparePosition')
  })

// File conventions.
for (const file of code) {
  const lines = linesOf(file)
  const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0]
  if (!/^(\/\/|\/\*\*?) ?\S/.test(first ?? '')) find(file, 'opens with one sentence that says what it is for')
  if (!isTest(file) && lines.length > sourceLinesMax)
    find(file, `is longer than ${sourceLinesMax} lines: is it one thing?`)
  lines.forEach((line, index) => {
    if (file.startsWith('scripts/tidy')) return
    if (
      /\b(test|it|describe)(\.\w+)*\.(skip|only|todo)\b|\bas any\b|: any\b|@ts-(ignore|expect-error|nocheck)|\b(TODO|FIXME|XXX|HACK)\b/.test(
        line,
      )
    )
      find(`${file}:${index + 1}`, 'left behind')
  })
}

// Files that documents name exist; decisions and the changelog speak of their own day, the bench of the commit it measured.
const ofTheirDay = /^(CHANGELOG\.md|docs\/(benchmarks\.md|decisions\/.*))$/
const named = /[`(]((?:\.\.\/)*[\w*./<>-]+\.(?:ts|tsx|mjs))[`):]/g
const places = tracked.flatMap((file) => [file, file.replace('/src/', '/')])
for (const file of tracked.filter((file) => file.endsWith('.md') && !ofTheirDay.test(file)))
  linesOf(file).forEach((line, index) => {
    for (const [, name = ''] of line.matchAll(named)) {
      const glob = name.replace(/^(\.\.\/)+/, '').replaceAll(/<\w+>/g, '*')
      if (!places.some((place) => path.posix.matchesGlob(place, glob) || path.posix.matchesGlob(place, `**/${glob}`)))
        find(`${file}:${index + 1}`, `names ${name}, which does not exist`)
    }
  })

// Names that must agree: services, compose, Kubernetes.
const same = (where: string, actual: readonly string[], expected: readonly string[]) => {
  for (const name of expected) if (!actual.includes(name)) find(where, `lacks ${name}`)
  for (const name of actual) if (!expected.includes(name)) find(where, `names ${name}, which is no service`)
}
const [compose] = parseAllDocuments(readFileSync('docker-compose.yml', 'utf8'))
same('docker-compose.yml', Object.keys(compose?.toJS().services ?? {}), [...services, ...infrastructure])
const manifests = tracked
  .filter((file) => /^k8s\/base\/.*\.yaml$/.test(file))
  .flatMap((file) => parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS()))
const containers = manifests.flatMap((manifest) => manifest?.spec?.template?.spec?.containers ?? [])
same(
  'k8s/base',
  containers.map((container: { name: string }) => container.name),
  services.filter((name) => !neverInKubernetes.includes(name)),
)

// Ratchets.
const ratchetsFile = 'scripts/tidy/ratchets.json'
const recorded: Recorded = JSON.parse(readFileSync(ratchetsFile, 'utf8'))
const sources = readSources(code)
const measured: Recorded = Object.fromEntries(
  Object.entries(measures).map(([name, measure]) => [name, measure(sources)]),
)
const { risen, fallen } = compare(recorded, measured)
for (const rise of risen) find(ratchetsFile, `may only fall: ${rise}`)
if (process.argv.includes('--record'))
  writeFileSync(ratchetsFile, `${JSON.stringify(lowered(recorded, measured), undefined, 2)}\n`)
else for (const fall of fallen) find(ratchetsFile, `record it with \`npm run tidy -- --record\`: ${fall}`)

console.log(`dependency law: ${law.join('; ')}; services <- packages`)
for (const finding of findings) console.error(finding)
process.exit(findings.length > 0 ? 1 : 0)
