// Whether network policies deny by default, mean pods that exist, and let through what the services' addresses need.
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IService } from 'kubernetes-models/v1/Service'
import { ofKind, type Pod, podsOf, selects } from './kubernetes.ts'
import type { Manifest } from './kustomize.ts'

type Spec = NonNullable<INetworkPolicy['spec']>
type Rule = NonNullable<Spec['egress']>[number] & NonNullable<Spec['ingress']>[number]
/** What is outside, by the setting that says where: anywhere, at its own port. */
const outside = [
  { setting: 'EVENTSTORE_URL', port: 2113, what: 'the event store' },
  { setting: 'DATABASE_URL', port: 5432, what: 'Postgres' },
]
const dnsPort = 53

const portNames = (pods: readonly Pod[]) =>
  pods.flatMap(({ spec }) => spec.containers.flatMap(({ ports }) => (ports ?? []).map(({ name }) => name)))

/** What a policy names and does not exist. */
const referenceFindings = (where: string, spec: Spec, pods: readonly Pod[]): string[] => {
  const findings: string[] = []
  const meant = pods.filter(({ labels }) => selects(spec.podSelector?.matchLabels, labels))
  if (meant.length === 0) findings.push(`${where}: is about no pod`)
  for (const [direction, rules] of [
    ['Ingress', spec.ingress],
    ['Egress', spec.egress],
  ] as const) {
    if (rules && !spec.policyTypes?.includes(direction)) findings.push(`${where}: its ${direction} is not in force`)
    for (const rule of (rules ?? []) as Rule[]) {
      const peers = rule.from ?? rule.to ?? []
      const there = peers.flatMap(({ podSelector, namespaceSelector }) => {
        if (!podSelector || namespaceSelector) return []
        const found = pods.filter(({ labels }) => selects(podSelector.matchLabels, labels))
        if (found.length === 0) findings.push(`${where}: lets through pods that do not exist`)
        return found
      })
      if (!rule.ports?.length) findings.push(`${where}: lets through every port`)
      for (const { port } of rule.ports ?? [])
        if (typeof port === 'string' && !portNames(direction === 'Ingress' ? meant : there).includes(port))
          findings.push(`${where}: there is no port ${port}`)
    }
  }
  return findings
}

/** Whether the policies that are about `pod` have a rule for the other side and one of the ports. */
const opens = (
  policies: readonly Spec[],
  direction: 'ingress' | 'egress',
  pod: Pod,
  other: Pod | undefined,
  ports: readonly unknown[],
) =>
  policies
    .filter((spec) => selects(spec.podSelector?.matchLabels, pod.labels))
    .flatMap((spec) => (spec[direction] ?? []) as Rule[])
    .some(
      (rule) =>
        rule.ports?.some(({ port }) => ports.includes(port)) &&
        (other === undefined ||
          (rule.from ?? rule.to)?.some(
            (peer) =>
              peer.podSelector && !peer.namespaceSelector && selects(peer.podSelector.matchLabels, other.labels),
          )),
    )

/** Every pair of our pods that talk: by the addresses their containers are given. */
const talks = (manifests: readonly Manifest[], pods: readonly Pod[]) => {
  const data = Object.assign({}, ...ofKind<IConfigMap>(manifests, 'ConfigMap').map((map) => map.data)) as Record<
    string,
    string
  >
  const services = ofKind<IService>(manifests, 'Service')
  return pods.flatMap((from) =>
    from.spec.containers.flatMap(({ env }) =>
      (env ?? []).flatMap(({ name, value, valueFrom }) => {
        const address = value ?? data[valueFrom?.configMapKeyRef?.key ?? ''] ?? ''
        const service =
          /^https?:/.test(address) && services.find((each) => each.metadata.name === new URL(address).hostname)
        const to = service && pods.find(({ labels }) => selects(service.spec?.selector, labels))
        return to ? [{ name, from, to, ports: (service.spec?.ports ?? []).map(({ targetPort }) => targetPort) }] : []
      }),
    ),
  )
}

export const networkFindings = (manifests: readonly Manifest[]): string[] => {
  const named = ofKind<INetworkPolicy>(manifests, 'NetworkPolicy')
  const policies = named.flatMap(({ spec }) => (spec ? [spec] : []))
  const pods = podsOf(manifests)
  const findings = named.flatMap(({ metadata, spec }) =>
    spec ? referenceFindings(`NetworkPolicy ${metadata.name}`, spec, pods) : [],
  )
  const denies = policies.some(
    ({ podSelector, policyTypes, ingress, egress }) =>
      Object.keys(podSelector ?? {}).length === 0 && policyTypes?.length === 2 && !ingress && !egress,
  )
  if (!denies) findings.push('no NetworkPolicy denies by default')
  for (const pod of pods) {
    if (!opens(policies, 'egress', pod, undefined, [dnsPort])) findings.push(`${pod.where}: may not ask for names`)
    for (const { setting, port, what } of outside) {
      const uses = pod.spec.containers.some(({ env }) => env?.some(({ name }) => name === setting))
      if (uses !== opens(policies, 'egress', pod, undefined, [port]))
        findings.push(`${pod.where}: ${uses ? 'may not' : 'may needlessly'} reach ${what}`)
    }
  }
  for (const { name, from, to, ports } of talks(manifests, pods)) {
    if (!opens(policies, 'egress', from, to, ports)) findings.push(`${from.where}: ${name} is closed on the way out`)
    if (!opens(policies, 'ingress', to, from, ports))
      findings.push(`${to.where}: ${name} of ${from.where} is closed on the way in`)
  }
  return findings
}
