// The image, the compose file and the Kubernetes manifests: valid, agreeing with each other and with the services' settings.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DCLinter } from 'dclint'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Compose, composeFindings, parseCompose } from './containers/compose.ts'
import { dockerfile, dockerfileFindings, environmentOf, instructionsOf } from './containers/dockerfile.ts'
import { askTool, buildFolder, runOnce } from './containers/image.ts'
import { kubernetesFindings, secrets } from './containers/kubernetes.ts'
import { type Json, type Manifest, type Rendered, readDocuments, render } from './containers/kustomize.ts'
import { networkFindings } from './containers/network.ts'
import { readSettings, type Settings, services } from './containers/settings.ts'
import { twinFindings } from './containers/twins.ts'

const overlays = readdirSync('k8s/overlays').map((name) => ({ name, directory: path.join('k8s/overlays', name) }))
const dockerfileSource = readFileSync(dockerfile, 'utf8')
const composeSource = readFileSync('docker-compose.yml', 'utf8')
const operations = readFileSync('docs/operations.md', 'utf8')
const image = environmentOf(instructionsOf(dockerfileSource))

/** The images from which operators work. */
const withTool = ['dashboard-projector', 'edge-projector', 'gateway', 'jobs']

/** One with built pages, one with native modules and the tool; the long form makes all. */
const made = process.env.LONG_FORM ? services : ['web', 'gateway']

/** Installing from a cold store takes its time. */
const imageMsMax = 120_000

let settings: ReadonlyMap<string, Settings>
beforeAll(async () => {
  settings = await readSettings()
})

type Path = readonly (string | number)[]

/** Sets what is at a path, or takes it away when the value is undefined. */
const put = (target: object, steps: Path, value: Json | undefined): void => {
  const parent = steps.slice(0, -1).reduce((at: unknown, step) => {
    const next = (at as Record<string | number, unknown>)[step]
    if (typeof next !== 'object' || next === null) throw new Error(`there is nothing at ${steps.join('.')}`)
    return next
  }, target) as Record<string | number, unknown>
  const last = steps.at(-1) ?? ''
  if (value === undefined) delete parent[last]
  else parent[last] = value
}

const rendered = (): Manifest[] => structuredClone(render('k8s/overlays/production').manifests)
const find = (manifests: Manifest[], [kind, name]: readonly [string, string]): Manifest => {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (!found) throw new Error(`there is no ${kind} ${name}`)
  return found
}
const check = (manifests: Manifest[]) => [
  ...kubernetesFindings(manifests, image, settings),
  ...networkFindings(manifests),
]

describe('kubernetes', () => {
  test.each(overlays)('$name: nothing is wrong', ({ directory }) => {
    expect(check(render(directory).manifests)).toEqual([])
  })

  test('every field has the name that Kubernetes gives it', () => {
    const patches = overlays.flatMap(({ directory }) =>
      readdirSync(directory)
        .filter((file) => file !== 'kustomization.yaml')
        .flatMap((file) => readDocuments(path.join(directory, file))),
    )
    expect(
      twinFindings(
        overlays.flatMap(({ directory }) => render(directory).manifests),
        patches,
      ),
    ).toEqual([])
  })

  test('a misspelt field is found, in a manifest and in a patch', () => {
    const loan = find(rendered(), ['Deployment', 'loan'])
    put(loan, ['spec', 'template', 'spec', 'containers', 0, 'readynessProbe'], {})
    const patch = { ...find(rendered(), ['HorizontalPodAutoscaler', 'loan']), spec: { minReplica: 3 } }
    const findings = twinFindings([loan], [patch]).join('\n')
    expect(findings).toMatch(/readynessProbe.* does not exist/)
    expect(findings).toMatch(/minReplica.* does not exist/)
  })

  test('no file is left out', () => {
    const all = readdirSync('k8s', { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
    expect(overlays.flatMap(({ directory }): Rendered['files'] => render(directory).files)).toEqual(
      expect.arrayContaining(all),
    )
  })

  const loan = ['Deployment', 'loan'] as const
  const edge = ['Deployment', 'edge'] as const
  const template = ['spec', 'template'] as const
  const pod = [...template, 'spec'] as const
  const container = [...pod, 'containers', 0] as const
  const app = 'app.kubernetes.io/name'
  type Fault = readonly [
    what: string,
    manifest: readonly [string, string],
    at: Path,
    value: Json | undefined,
    finding: RegExp,
  ]
  const faults: readonly Fault[] = [
    ['a removed version', loan, ['apiVersion'], 'apps/v1beta1', /not among the allowed kinds/],
    ['a text for a number', loan, ['spec', 'minReadySeconds'], 'two', /minReadySeconds/],
    ['no such quantity', loan, [...container, 'resources', 'limits', 'memory'], '384Mb', /memory/],
    ['a selector for other pods', loan, ['spec', 'selector', 'matchLabels', app], 'loans', /not select its own pods/],
    ['pods of another name', loan, [...template, 'metadata', 'labels', app], 'loans', /Service loan: selects 0/],
    ['replicas beside an autoscaler', loan, ['spec', 'replicas'], 3, /sets replicas/],
    [
      'neither replicas nor an autoscaler',
      ['Deployment', 'dashboard-projector'],
      ['spec', 'replicas'],
      undefined,
      /has not one autoscaler/,
    ],
    ['an account that is not there', loan, [...pod, 'serviceAccountName'], 'lone', /no ServiceAccount lone/],
    ['a token', loan, [...pod, 'automountServiceAccountToken'], true, /has a token/],
    ['root', loan, [...pod, 'securityContext', 'runAsUser'], 0, /may run as root/],
    ['no seccomp', loan, [...pod, 'securityContext', 'seccompProfile'], undefined, /no seccomp profile/],
    ['a writable root', loan, [...container, 'securityContext', 'readOnlyRootFilesystem'], false, /root file system/],
    ['escalation', loan, [...container, 'securityContext', 'allowPrivilegeEscalation'], undefined, /escalate/],
    [
      'capabilities',
      loan,
      [...container, 'securityContext', 'capabilities', 'drop'],
      ['NET_RAW'],
      /keeps capabilities/,
    ],
    ['a folder of the node', loan, [...pod, 'volumes', 0], { name: 'tmp', hostPath: { path: '/' } }, /no emptyDir/],
    ['a volume that is not there', loan, [...container, 'volumeMounts', 0, 'name'], 'temp', /no volume temp/],
    ['an image without version', loan, [...container, 'image'], 'headwater/loan', /is not the service's/],
    ["another service's image", loan, [...container, 'image'], 'headwater/gateway:1', /is not the service's/],
    ['no memory limit', loan, [...container, 'resources', 'limits'], undefined, /no limit on its memory/],
    ['a probe elsewhere', loan, [...container, 'readinessProbe', 'httpGet', 'path'], '/ready', /readinessProbe/],
    [
      'a startup probe',
      loan,
      [...container, 'startupProbe'],
      { httpGet: { path: '/health/ready', port: 'loan' } },
      /startupProbe ends it/,
    ],
    ['a probe at no port', loan, [...container, 'livenessProbe', 'httpGet', 'port'], 'http', /livenessProbe/],
    ['a port nobody listens on', loan, [...container, 'ports', 0, 'containerPort'], 8080, /PORT 8081/],
    ['killed while stopping', loan, [...pod, 'terminationGracePeriodSeconds'], 15, /killed before/],
    ['an unknown setting', loan, [...container, 'env', 0, 'name'], 'PROT', /PROT is no setting/],
    ['a wrong setting', loan, [...container, 'env', 0, 'value'], 'http', /PORT: Invalid/],
    ['a missing setting', loan, [...container, 'env', 2], { name: 'HOST', value: '::' }, /EVENTSTORE_URL is not set/],
    [
      'a key that is not there',
      ['ConfigMap', 'headwater'],
      ['data', 'CREDIT_BUREAU_URL'],
      undefined,
      /no ConfigMap has/,
    ],
    ['a key nobody reads', ['ConfigMap', 'headwater'], ['data', 'LOAN_URI'], 'x', /nobody reads LOAN_URI/],
    [
      'an address of nobody',
      ['ConfigMap', 'headwater'],
      ['data', 'LOAN_URL'],
      'http://lone:8081',
      /no port of a Service/,
    ],
    ['a port of nobody', ['ConfigMap', 'headwater'], ['data', 'LOAN_URL'], 'http://loan', /no port of a Service/],
    ['an unknown secret', loan, [...container, 'env', 2, 'valueFrom', 'secretKeyRef', 'key'], 'uri', /no known secret/],
    [
      'a key for everybody to read',
      loan,
      [...container, 'env', 4],
      { name: 'APPLICANT_KEY', value: 'x'.repeat(32) },
      /holds a secret/,
    ],
    ['another mode', loan, [...container, 'env', 1], { name: 'NODE_ENV', value: 'development' }, /no place/],
    ['two ports alike', edge, [...pod, 'containers', 1, 'ports', 0, 'containerPort'], 8080, /has a port twice/],
    ['two folders', edge, [...pod, 'containers', 1, 'volumeMounts', 1, 'name'], 'tmp', /do not share one edge volume/],
    ['a folder it may only read', edge, [...container, 'volumeMounts', 1, 'readOnly'], true, /EDGE_DIRECTORY/],
    ['a stranger in the pod', edge, [...container, 'name'], 'proxy', /is no service of ours/],
    ['a service to no port', ['Service', 'gateway'], ['spec', 'ports', 0, 'targetPort'], 'http', /no port http/],
    ['a service of nobody', ['Service', 'gateway'], ['spec', 'selector', app], 'gateway', /selects 0/],
    [
      'a budget of nobody',
      ['PodDisruptionBudget', 'edge'],
      ['spec', 'selector', 'matchLabels', app],
      'x',
      /not one disruption/,
    ],
    [
      'a scaler of nobody',
      ['HorizontalPodAutoscaler', 'edge'],
      ['spec', 'scaleTargetRef', 'name'],
      'x',
      /target does not exist/,
    ],
    [
      'a scaler by no container',
      ['HorizontalPodAutoscaler', 'edge'],
      ['spec', 'metrics', 0, 'containerResource', 'container'],
      'edge',
      /no container edge/,
    ],
    ['a scaler upside down', ['HorizontalPodAutoscaler', 'edge'], ['spec', 'minReplicas'], 99, /above its maximum/],
    ['another namespace', ['Service', 'loan'], ['metadata', 'namespace'], 'default', /is elsewhere/],
    ['a lax namespace', ['Namespace', 'headwater'], ['metadata', 'labels'], {}, /restricted/],
    ['an account with tokens', ['ServiceAccount', 'edge'], ['automountServiceAccountToken'], true, /hands out tokens/],
    ['no default deny', ['NetworkPolicy', 'default-deny'], ['spec', 'policyTypes'], ['Ingress'], /denies by default/],
    ['no names', ['NetworkPolicy', 'names'], ['spec', 'egress', 0, 'ports'], [{ port: 443 }], /ask for names/],
    [
      'a policy for nobody',
      ['NetworkPolicy', 'edge'],
      ['spec', 'podSelector', 'matchLabels', app],
      'x',
      /about no pod/,
    ],
    [
      'a policy for no port',
      ['NetworkPolicy', 'edge'],
      ['spec', 'ingress', 0, 'ports', 0, 'port'],
      'http',
      /no port http/,
    ],
    [
      'a policy not in force',
      ['NetworkPolicy', 'edge'],
      ['spec', 'policyTypes'],
      ['Ingress'],
      /Egress is not in force/,
    ],
    ['every port', ['NetworkPolicy', 'edge'], ['spec', 'ingress', 0, 'ports'], undefined, /lets through every port/],
    ['no way out', ['NetworkPolicy', 'edge'], ['spec', 'egress', 0, 'ports', 0, 'port'], 80, /closed on the way out/],
    ['no way in', ['NetworkPolicy', 'loan'], ['spec', 'ingress'], [], /closed on the way in/],
    [
      'no way to the events',
      ['NetworkPolicy', 'loan'],
      ['spec', 'egress', 0, 'ports', 0, 'port'],
      443,
      /may not reach the event/,
    ],
    [
      'no way to the rows',
      ['NetworkPolicy', 'dashboard-projector'],
      ['spec', 'egress', 1, 'ports', 0, 'port'],
      443,
      /may not reach Postgres/,
    ],
  ]
  test.each(faults)('found: %s', (_what, manifest, at, value, finding) => {
    const manifests = rendered()
    put(find(manifests, manifest), at, value)
    expect(check(manifests).join('\n')).toMatch(finding)
  })

  test('found: what is missing or there twice', () => {
    const without = (kind: string) => check(rendered().filter((manifest) => manifest.kind !== kind)).join('\n')
    expect(without('PodDisruptionBudget')).toContain('has not one disruption budget')
    expect(without('HorizontalPodAutoscaler')).toContain('has not one autoscaler')
    expect(without('NetworkPolicy')).toContain('denies by default')
    expect(without('Namespace')).toContain('one Namespace')
    expect(check([...rendered(), find(rendered(), ['Service', 'loan'])]).join('\n')).toContain('is there twice')
  })
})

describe('compose', () => {
  const lint = (file: string) => {
    const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] })
    const results: { messages: { type: string; line: number; message: string }[] }[] = linter.lintFiles([file], false)
    const errors = results.flatMap(({ messages }) => messages).filter(({ type }) => type === 'error')
    return errors.map(({ line, message }) => `line ${line}: ${message}`)
  }

  test('nothing is wrong', () => {
    expect(lint('docker-compose.yml')).toEqual([])
    expect(composeFindings(parseCompose(composeSource), image, settings)).toEqual([])
  })

  test('found: a misspelt field', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'headwater-compose-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = path.join(folder, 'docker-compose.yml')
    writeFileSync(file, composeSource.replace('depends_on:', 'dependson:'))
    expect(lint(file).join('\n')).toMatch(/services\/loan.*must NOT have additional properties/)
  })

  type Fault = readonly [what: string, at: Path, value: Json | undefined, finding: RegExp]
  const faults: readonly Fault[] = [
    [
      'a dependency that is not there',
      ['services', 'loan', 'depends_on', 'store'],
      { condition: 'service_started' },
      /store, which/,
    ],
    ['a health nobody checks', ['services', 'eventstore', 'healthcheck'], undefined, /which nobody checks/],
    ['an address it does not wait for', ['services', 'loan', 'depends_on', 'sandbox'], undefined, /does not wait/],
    ['a volume that is not there', ['volumes', 'edge'], undefined, /no volume edge/],
    ['a volume nobody uses', ['volumes', 'edges'], null, /nobody uses edges/],
    ['a door to the network', ['services', 'gateway', 'ports', 0], '8080:8080', /open to the network/],
    ['a door to nothing', ['services', 'gateway', 'ports', 0], '127.0.0.1:80:80', /is not its port/],
    ['an unknown setting', ['services', 'gateway', 'environment', 'LOAN_URI'], 'x', /LOAN_URI is no setting/],
    ['a missing setting', ['services', 'gateway', 'environment', 'LOAN_URL'], undefined, /LOAN_URL is not set/],
    ['a wrong setting', ['services', 'gateway', 'environment', 'PORT'], 'x', /PORT: Invalid/],
    [
      'an address of nobody',
      ['services', 'loan', 'environment', 'CREDIT_BUREAU_URL'],
      'http://x:1',
      /no port of a service/,
    ],
    ['another port', ['services', 'gateway', 'environment', 'LOAN_URL'], 'http://loan:8080', /no port of a service/],
    [
      'a fault in production',
      ['services', 'loan', 'environment', 'FAULT_POINT'],
      'reserved:SIGKILL',
      /must not be set in production/,
    ],
    ['an issuer of nobody', ['services', 'loan', 'environment', 'OIDC_ISSUER'], undefined, /OIDC_ISSUER is not set/],
    ['a real password', ['services', 'postgres', 'environment', 'POSTGRES_PASSWORD'], 'x', /real secret/],
    ['a real key', ['services', 'loan', 'environment', 'APPLICANT_KEY'], 'x'.repeat(32), /real secret/],
    ['a writable root', ['services', 'loan', 'read_only'], undefined, /root file system/],
    ['capabilities', ['services', 'loan', 'cap_drop'], undefined, /keeps capabilities/],
    ['another service inside', ['services', 'loan', 'build', 'args', 'SERVICE'], 'gateway', /as another service/],
    ['files of its own', ['services', 'gateway', 'volumes'], [], /no edge volume/],
    ['a stranger', ['services', 'proxy'], { image: 'proxy:1' }, /is no service of ours/],
  ]
  test.each(faults)('found: %s', (_what, at, value, finding) => {
    const compose: Compose = structuredClone(parseCompose(composeSource))
    put(compose, at, value)
    expect(composeFindings(compose, image, settings).join('\n')).toMatch(finding)
  })
})

describe('image', () => {
  test('nothing is wrong', () => {
    expect(dockerfileFindings(dockerfileSource)).toEqual([])
  })

  test.each([
    ['an instruction that does not exist', 'WORKDIR /headwater', 'WORKDIRS /headwater', /Unknown instruction/],
    ['another Node.js', 'FROM node:24.21.0-slim AS', 'FROM node:22-slim AS', /not the Node.js/],
    ['root', 'USER 1000:1000', 'USER root', /USER: is no number/],
    ['a user by name', 'USER 1000:1000', 'USER node', /USER: is no number/],
    ['a secret', 'ARG SERVICE', 'ARG NPM_TOKEN', /would stay in the image/],
    ['a shell', 'CMD ["node", "src/main.ts"]', 'CMD node src/main.ts', /a shell/],
    ['what is not in the context', 'COPY packages packages', 'COPY docs packages', /keeps it out/],
    ['dev dependencies', '--prod --frozen-lockfile', '--frozen-lockfile', /more than the lockfile/],
    ['no production', 'NODE_ENV=production ', '', /NODE_ENV/],
  ])('found: %s', (_what, text, replacement, finding) => {
    expect(dockerfileSource).toContain(text)
    expect(dockerfileFindings(dockerfileSource.replaceAll(text, replacement)).join('\n')).toMatch(finding)
  })
})

describe('what an image holds', () => {
  test.each(made)('is enough for %s to start, and to stop on a signal', { timeout: imageMsMax }, async (service) => {
    const folder = buildFolder(instructionsOf(dockerfileSource), service)
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const { live, exitCode } = await runOnce(instructionsOf(dockerfileSource), folder, service)
    expect({ live, exitCode }).toEqual({ live: 200, exitCode: 0 })
    const packages = readdirSync(path.join(folder, 'node_modules/.pnpm'))
    const hasTool = withTool.includes(service)
    expect(existsSync(path.join(folder, 'services', service, 'node_modules/@headwater/operator-tool'))).toBe(hasTool)
    if (hasTool) expect(askTool(folder)).toContain('projections list')
    expect(packages.filter((name) => /^(typescript|vitest|kubernetes-models|playwright-core)@/.test(name))).toEqual([])
  })
})

describe('docs/operations.md', () => {
  test('names every setting of every service, and nothing else', () => {
    const rows = operations.split('\n').filter((line) => /^\| `[A-Z_]+` \|/.test(line))
    const documented = rows.flatMap((row) => {
      const [, name = '', of = ''] = row.split('|').map((cell) => cell.trim())
      const variable = name.replaceAll('`', '')
      return (of === 'all' ? services : of.split(', ')).map((service) => `${service} ${variable}`)
    })
    const real = [...settings].flatMap(([service, { names }]) => names.map((name) => `${service} ${name}`))
    expect(documented.toSorted()).toEqual(real.toSorted())
  })

  test('names every secret', () => {
    for (const [name, keys] of Object.entries(secrets))
      for (const key of Object.keys(keys)) expect(operations).toContain(`| \`${name}\` | \`${key}\` |`)
  })
})
