// What is wrong with docker-compose.yml beyond its schema: references, rights, settings of the services.
import { parse } from 'yaml'
import { type Environment, environmentFindings, type Settings } from './settings.ts'

type ComposeService = {
  image?: string
  build?: { context: string; dockerfile: string; args: Record<string, string> }
  environment?: Environment
  depends_on?: Record<string, { condition: string }>
  volumes?: string[]
  ports?: string[]
  healthcheck?: object
  read_only?: boolean
  tmpfs?: string[]
  cap_drop?: string[]
  security_opt?: string[]
}
export type Compose = { services: Record<string, ComposeService>; volumes: Record<string, null> }

/** Ports of what is not ours. */
const infrastructure: Readonly<Record<string, string>> = { eventstore: '2113', postgres: '5432' }

/** Where a service listens besides its PORT, by the setting of those who go there. */
const otherPorts: Readonly<Record<string, string>> = { SMTP_URL: 'SMTP_PORT', PEOPLE_URL: 'PEOPLE_PORT' }

/** A variable that whoever starts compose may set. */
const variable = /\$\{\w+:-([^}]*)\}/g

/** As compose reads it where nothing is set outside. */
export const parseCompose = (source: string): Compose =>
  parse(
    source.replaceAll(variable, (_, otherwise: string) => otherwise),
    { merge: true },
  )

const ourFindings = (name: string, service: ComposeService): string[] => {
  const rules: [boolean, string][] = [
    [
      service.build?.dockerfile === 'services/Dockerfile' && service.build.context === '.',
      'is not built by our Dockerfile',
    ],
    [service.build?.args.SERVICE === name, 'is built as another service'],
    [service.read_only === true && service.tmpfs?.includes('/tmp') === true, 'may write to its root file system'],
    [service.cap_drop?.includes('ALL') === true, 'keeps capabilities'],
    [service.security_opt?.includes('no-new-privileges:true') === true, 'may escalate its privileges'],
  ]
  const { EDGE_DIRECTORY } = service.environment ?? {}
  if (EDGE_DIRECTORY)
    rules.push([service.volumes?.includes(`edge:${EDGE_DIRECTORY}`) === true, 'has no edge volume at EDGE_DIRECTORY'])
  return rules.filter(([kept]) => !kept).map(([, what]) => `${name}: ${what}`)
}

const referenceFindings = (name: string, service: ComposeService, { services, volumes }: Compose): string[] => {
  const findings: string[] = []
  const waitsFor = (one: string, other: string) => other in (services[one]?.depends_on ?? {})
  const portOf = (other: string) => infrastructure[other] ?? services[other]?.environment?.PORT
  for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
    const target = services[other]
    if (!target) findings.push(`${name}: depends on ${other}, which does not exist`)
    else if (condition === 'service_healthy' && !target.healthcheck && !target.build)
      findings.push(`${name}: waits for the health of ${other}, which nobody checks`)
  }
  for (const volume of service.volumes ?? [])
    if (!((volume.split(':')[0] ?? '') in volumes)) findings.push(`${name}: there is no volume ${volume}`)
  for (const published of service.ports ?? []) {
    const [address, , port] = published.split(':')
    if (address !== '127.0.0.1') findings.push(`${name}: ${published} is open to the network`)
    if (port !== portOf(name)) findings.push(`${name}: ${published} is not its port`)
  }
  for (const [variable, value] of Object.entries(service.environment ?? {})) {
    if (/PASSWORD|SECRET|TOKEN|KEY/.test(variable) && !value.startsWith('development-only'))
      findings.push(`${name}: ${variable} could be a real secret`)
    // Where browsers go; containers do not.
    if (!variable.endsWith('_URL') || variable === 'PUBLIC_URL') continue
    const { hostname, port } = new URL(value)
    const otherPort = otherPorts[variable]
    const listensAt = otherPort ? services[hostname]?.environment?.[otherPort] : portOf(hostname)
    if (!(hostname in services) || port !== listensAt)
      findings.push(`${name}: ${variable} ${value} is no port of a service`)
    // Of two services that ask each other, one waits.
    else if (!waitsFor(name, hostname) && !waitsFor(hostname, name))
      findings.push(`${name}: does not wait for ${hostname}`)
  }
  return findings
}

export const composeFindings = (
  compose: Compose,
  image: Environment,
  settings: ReadonlyMap<string, Settings>,
): string[] => {
  const used = Object.values(compose.services).flatMap(({ volumes }) =>
    (volumes ?? []).map((volume) => volume.split(':')[0]),
  )
  return [
    ...Object.entries(compose.services).flatMap(([name, service]) => [
      ...referenceFindings(name, service, compose),
      ...(name in infrastructure
        ? []
        : [
            ...ourFindings(name, service),
            ...environmentFindings(name, image, service.environment ?? {}, settings.get(name)),
          ]),
    ]),
    ...Object.keys(compose.volumes)
      .filter((volume) => !used.includes(volume))
      .map((volume) => `volumes: nobody uses ${volume}`),
  ]
}
