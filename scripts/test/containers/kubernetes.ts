// What is wrong with rendered Kubernetes manifests: schemas, references, rights, settings of the services.
import { generateKeyPairSync } from 'node:crypto'
import { Deployment, type IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import {
  HorizontalPodAutoscaler,
  type IHorizontalPodAutoscaler,
} from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { type IPodDisruptionBudget, PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap, type IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IContainer } from 'kubernetes-models/v1/Container'
import { Namespace } from 'kubernetes-models/v1/Namespace'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'
import { type IService, Service } from 'kubernetes-models/v1/Service'
import { type IServiceAccount, ServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import type { Manifest } from './kustomize.ts'
import { containerRights, podRights } from './rights.ts'
import { type Environment, environmentFindings, type Settings } from './settings.ts'

/** What a test must not need to know is left out: what is not here is not used, and no removed version is here. */
const kinds: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  'apps/v1 Deployment': Deployment,
  'autoscaling/v2 HorizontalPodAutoscaler': HorizontalPodAutoscaler,
  'networking.k8s.io/v1 NetworkPolicy': NetworkPolicy,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'v1 ConfigMap': ConfigMap,
  'v1 Namespace': Namespace,
  'v1 Service': Service,
  'v1 ServiceAccount': ServiceAccount,
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** The secrets that operators bring (docs/operations.md), each key with a value as it could be. */
export const secrets: Readonly<Record<string, Environment>> = {
  applicants: { key: '5b0e2c0e6a3c4a5e9d550d6f4c1f2a10' },
  capabilities: {
    public: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    private: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  },
  mail: { url: 'smtps://user:password@mail.example' },
  eventstore: { url: 'esdb+discover://headwater:password@eventstore.example:2113' },
  postgres: { url: 'postgres://headwater:password@postgres.example:5432/headwater' },
  webhooks: { key: '0d2f9a1c7e5b4f3a8c6d1e0b9a7f5c34' },
  people: { key: '7e5b4f3a8c6d1e0b9a7f5c340d2f9a1c' },
  sessions: { key: '9c1f2a105b0e2c0e6a3c4a5e9d550d6f', client: 'as the issuer has it' },
}
const shutdownSecondsMax = 10
const defaultGraceSeconds = 30

type Labels = Readonly<Record<string, string>>
export type Pod = { readonly where: string; readonly labels: Labels; readonly spec: IPodSpec }

export const selects = (selector: Labels | undefined, labels: Labels): boolean =>
  Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value)

export const ofKind = <T>(manifests: readonly Manifest[], kind: string): (T & { metadata: Manifest['metadata'] })[] =>
  manifests.filter((manifest) => manifest.kind === kind) as unknown as (T & { metadata: Manifest['metadata'] })[]

export const podsOf = (manifests: readonly Manifest[]): Pod[] =>
  ofKind<IDeployment>(manifests, 'Deployment').map(({ metadata, spec }) => ({
    where: `Deployment ${metadata.name}`,
    labels: spec?.template.metadata?.labels ?? {},
    spec: spec?.template.spec as IPodSpec,
  }))

const schemaFindings = (manifests: readonly Manifest[]): string[] =>
  manifests.flatMap((manifest) => {
    const where = `${manifest.kind} ${manifest.metadata?.name}`
    const Kind = kinds[`${manifest.apiVersion} ${manifest.kind}`]
    if (!Kind) return [`${where}: ${manifest.apiVersion} ${manifest.kind} is not among the allowed kinds`]
    try {
      new Kind(manifest as never).validate()
      return []
    } catch (error) {
      return [`${where}: ${error instanceof Error ? error.message : String(error)}`]
    }
  })

const namespaceFindings = (manifests: readonly Manifest[]): string[] => {
  const [namespace, ...others] = manifests.filter(({ kind }) => kind === 'Namespace')
  if (!namespace || others.length > 0) return ['there must be one Namespace']
  const seen = new Set<string>()
  const findings = manifests
    .filter((manifest) => manifest !== namespace)
    .flatMap(({ kind, metadata }) => {
      const doubled = seen.has(`${kind} ${metadata.name}`) ? [`${kind} ${metadata.name}: is there twice`] : []
      seen.add(`${kind} ${metadata.name}`)
      const elsewhere = metadata.namespace !== namespace.metadata.name ? [`${kind} ${metadata.name}: is elsewhere`] : []
      return [...doubled, ...elsewhere]
    })
  if (namespace.metadata.labels?.['pod-security.kubernetes.io/enforce'] !== 'restricted')
    findings.push('Namespace: does not enforce the restricted pod security standard')
  return findings
}

/** The environment of a container, its references looked up. */
const environmentOf = (container: IContainer, where: string, maps: readonly IConfigMap[], findings: string[]) => {
  if (container.envFrom) findings.push(`${where}: names no variables (envFrom)`)
  const entries = (container.env ?? []).map(({ name, value, valueFrom }) => {
    const fromMap = valueFrom?.configMapKeyRef
    const fromSecret = valueFrom?.secretKeyRef
    if (fromMap) {
      const found = maps.find(({ metadata }) => metadata?.name === fromMap.name)?.data?.[fromMap.key]
      if (found === undefined)
        findings.push(`${where}: ${name} refers to ${fromMap.name}/${fromMap.key}, which no ConfigMap has`)
      return [name, found ?? '']
    }
    if (fromSecret) {
      const found = secrets[fromSecret.name ?? '']?.[fromSecret.key]
      if (found === undefined)
        findings.push(`${where}: ${name} refers to ${fromSecret.name}/${fromSecret.key}, no known secret`)
      return [name, found ?? '']
    }
    if (value?.includes('@') || /PASSWORD|SECRET|TOKEN|KEY/.test(name))
      findings.push(`${where}: ${name} holds a secret`)
    return [name, value ?? '']
  })
  if (new Set(entries.map(([name]) => name)).size < entries.length) findings.push(`${where}: sets a variable twice`)
  return Object.fromEntries(entries) as Environment
}

const containerFindings = (pod: Pod, container: IContainer, environment: Environment): string[] => {
  const where = `${pod.where}, ${container.name}`
  const findings = containerRights(where, container)
  const ports = container.ports ?? []
  if (!new RegExp(`/${container.name}:[\\w.-]+$`).test(container.image ?? '') || container.image?.endsWith(':latest'))
    findings.push(`${where}: the image ${container.image} is not the service's, with a version`)
  if (!ports.some(({ containerPort }) => String(containerPort) === environment.PORT))
    findings.push(`${where}: PORT ${environment.PORT} is not among its ports`)
  for (const [probe, path] of [
    ['livenessProbe', '/health/live'],
    // Beside the gateway a projector that has stopped for good takes nothing out of use.
    ['readinessProbe', container.name === 'edge-projector' ? '/health/started' : '/health/ready'],
  ] as const) {
    const get = container[probe]?.httpGet
    if (get?.path !== path || !ports.some(({ name }) => name === get.port))
      findings.push(`${where}: its ${probe} does not ask ${path} at a named port of its own`)
  }
  // A restart cures no neighbour: what waits for one is not ready, and lives.
  if (container.startupProbe) findings.push(`${where}: its startupProbe ends it while it waits for another`)
  const mounted = (container.volumeMounts ?? []).map(({ name }) => name)
  for (const name of mounted)
    if (!pod.spec.volumes?.some((volume) => volume.name === name)) findings.push(`${where}: there is no volume ${name}`)
  const grace = pod.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds
  if (grace <= (container.lifecycle?.preStop?.sleep?.seconds ?? 0) + shutdownSecondsMax)
    findings.push(`${where}: is killed before it has stopped`)
  const { EDGE_DIRECTORY } = environment
  if (EDGE_DIRECTORY && !container.volumeMounts?.some((mount) => mount.mountPath === EDGE_DIRECTORY && !mount.readOnly))
    findings.push(`${where}: EDGE_DIRECTORY ${EDGE_DIRECTORY} is no volume it may write`)
  return findings
}

const unique = (where: string, what: string, names: readonly unknown[]): string[] =>
  new Set(names).size < names.length ? [`${where}: has a ${what} twice`] : []

const podFindings = (
  pod: Pod,
  environments: readonly Environment[],
  accounts: readonly IServiceAccount[],
): string[] => {
  const { where, spec } = pod
  const findings = podRights(where, spec)
  if (!accounts.some(({ metadata }) => metadata?.name === spec.serviceAccountName))
    findings.push(`${where}: there is no ServiceAccount ${spec.serviceAccountName}`)
  const ports = spec.containers.flatMap((container) => container.ports ?? [])
  findings.push(
    ...unique(
      where,
      'port',
      ports.map(({ containerPort }) => containerPort),
    ),
  )
  findings.push(
    ...unique(
      where,
      'port name',
      ports.map(({ name }) => name),
    ),
  )
  const mounts = spec.containers.flatMap((container) => container.volumeMounts ?? [])
  for (const { name } of spec.volumes ?? [])
    if (!mounts.some((mount) => mount.name === name)) findings.push(`${where}: nobody mounts the volume ${name}`)
  // The gateway reads the files that the projector writes.
  const edges = spec.containers.flatMap(({ volumeMounts }, index) => {
    const directory = environments[index]?.EDGE_DIRECTORY
    return directory ? [volumeMounts?.find(({ mountPath }) => mountPath === directory)?.name] : []
  })
  if (new Set(edges).size > 1) findings.push(`${where}: its containers do not share one edge volume`)
  for (const { labelSelector } of spec.topologySpreadConstraints ?? [])
    if (!selects(labelSelector?.matchLabels, pod.labels)) findings.push(`${where}: is spread by other pods' labels`)
  return findings
}

const deploymentFindings = (manifests: readonly Manifest[]): string[] =>
  ofKind<IDeployment>(manifests, 'Deployment').flatMap(({ metadata, spec }) => {
    const where = `Deployment ${metadata.name}`
    const labels = spec?.template.metadata?.labels ?? {}
    const scaled = ofKind<IHorizontalPodAutoscaler>(manifests, 'HorizontalPodAutoscaler').filter(
      (scaler) =>
        scaler.spec?.scaleTargetRef.kind === 'Deployment' && scaler.spec.scaleTargetRef.name === metadata.name,
    )
    const guarded = ofKind<IPodDisruptionBudget>(manifests, 'PodDisruptionBudget').filter((budget) =>
      selects(budget.spec?.selector?.matchLabels, labels),
    )
    // Replicas that only stand by are a number, not a matter of load.
    const fixed = scaled.length === 0 && spec?.replicas !== undefined
    const rules: [boolean, string][] = [
      [Object.keys(spec?.selector.matchLabels ?? {}).length > 0, 'selects everything'],
      [selects(spec?.selector.matchLabels, labels), 'does not select its own pods'],
      [scaled.length === 1 || fixed, 'has not one autoscaler'],
      [guarded.length === 1, 'has not one disruption budget'],
      [spec?.replicas === undefined || fixed, 'sets replicas against its autoscaler'],
    ]
    return rules.filter(([kept]) => !kept).map(([, what]) => `${where}: ${what}`)
  })

const targetFindings = (manifests: readonly Manifest[], pods: readonly Pod[]): string[] => {
  const findings: string[] = []
  for (const { metadata, spec } of ofKind<IService>(manifests, 'Service')) {
    const behind = pods.filter(({ labels }) => selects(spec?.selector, labels))
    if (behind.length !== 1) findings.push(`Service ${metadata.name}: selects ${behind.length} deployments`)
    const names = behind.flatMap((pod) =>
      pod.spec.containers.flatMap(({ ports }) => (ports ?? []).map(({ name }) => name)),
    )
    for (const { targetPort } of spec?.ports ?? [])
      if (!names.includes(String(targetPort)))
        findings.push(`Service ${metadata.name}: its pods have no port ${targetPort}`)
  }
  for (const { metadata, spec } of ofKind<IPodDisruptionBudget>(manifests, 'PodDisruptionBudget'))
    if (pods.filter(({ labels }) => selects(spec?.selector?.matchLabels, labels)).length !== 1)
      findings.push(`PodDisruptionBudget ${metadata.name}: is not about one deployment`)
  for (const { metadata, spec } of ofKind<IHorizontalPodAutoscaler>(manifests, 'HorizontalPodAutoscaler')) {
    const where = `HorizontalPodAutoscaler ${metadata.name}`
    const target = pods.find((pod) => pod.where === `${spec?.scaleTargetRef.kind} ${spec?.scaleTargetRef.name}`)
    if (!target) findings.push(`${where}: its target does not exist`)
    if ((spec?.minReplicas ?? 1) > (spec?.maxReplicas ?? 0)) findings.push(`${where}: its minimum is above its maximum`)
    for (const { containerResource } of spec?.metrics ?? [])
      if (containerResource && !target?.spec.containers.some(({ name }) => name === containerResource.container))
        findings.push(`${where}: its target has no container ${containerResource.container}`)
  }
  return findings
}

/** Addresses inside the cluster: what is named there must be a Service and a port of it. */
const addressFindings = (where: string, environment: Environment, services: readonly IService[]): string[] =>
  Object.entries(environment)
    .filter(
      ([name, value]) => name.endsWith('_URL') && /^https?:/.test(value) && !new URL(value).hostname.includes('.'),
    )
    .flatMap(([name, value]) => {
      const { hostname, port } = new URL(value)
      const ports = services.find(({ metadata }) => metadata?.name === hostname)?.spec?.ports ?? []
      return ports.some((each) => each.port === Number(port || 80))
        ? []
        : [`${where}: ${name} ${value} is no port of a Service`]
    })

export const kubernetesFindings = (
  manifests: readonly Manifest[],
  image: Environment,
  settings: ReadonlyMap<string, Settings>,
): string[] => {
  const broken = schemaFindings(manifests)
  if (broken.length > 0) return broken
  const findings = [...namespaceFindings(manifests), ...deploymentFindings(manifests)]
  const maps = ofKind<IConfigMap>(manifests, 'ConfigMap')
  const accounts = ofKind<IServiceAccount>(manifests, 'ServiceAccount')
  const pods = podsOf(manifests)
  for (const pod of pods) {
    const environments = pod.spec.containers.map((container) => {
      const where = `${pod.where}, ${container.name}`
      const environment = environmentOf(container, where, maps, findings)
      if ('NODE_ENV' in environment) findings.push(`${where}: NODE_ENV has no place in Kubernetes`)
      findings.push(...containerFindings(pod, container, environment))
      findings.push(...environmentFindings(where, image, environment, settings.get(container.name)))
      findings.push(...addressFindings(where, environment, ofKind<IService>(manifests, 'Service')))
      return environment
    })
    findings.push(...podFindings(pod, environments, accounts))
  }
  const references = pods.flatMap(({ spec }) =>
    spec.containers.flatMap(({ env }) => (env ?? []).map((each) => each.valueFrom)),
  )
  for (const { metadata, data } of maps)
    for (const key of Object.keys(data ?? {}))
      if (!references.some((from) => from?.configMapKeyRef?.name === metadata.name && from.configMapKeyRef.key === key))
        findings.push(`ConfigMap ${metadata.name}: nobody reads ${key}`)
  for (const { metadata, automountServiceAccountToken } of accounts) {
    if (automountServiceAccountToken !== false) findings.push(`ServiceAccount ${metadata.name}: hands out tokens`)
    if (!pods.some(({ spec }) => spec.serviceAccountName === metadata.name))
      findings.push(`ServiceAccount ${metadata.name}: nobody uses it`)
  }
  return [...findings, ...targetFindings(manifests, pods)]
}
