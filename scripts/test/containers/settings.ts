// What each service's config.ts accepts, and what is wrong with the environment that a container gives it.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { parseConfig } from '@headwater/http-kit/config'

export type Environment = Readonly<Record<string, string>>
type Schema = Parameters<typeof parseConfig>[0] & {
  readonly shape: Record<string, { safeParse: (value: undefined) => { success: boolean; data?: unknown } }>
}
export type Settings = {
  readonly schema: Schema
  readonly names: readonly string[]
  readonly onlyLocal: readonly string[]
}

export const services = readdirSync('services', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

/** Defaults that mean "on this machine": in a container they are a mistake that shows late. */
const local = /127\.0\.0\.1|localhost|^\.data/

const read = async (service: string): Promise<Settings> => {
  const { config: schema }: { config: Schema } = await import(path.resolve('services', service, 'src/config.ts'))
  const names = Object.keys(schema.shape)
  const onlyLocal = names.filter((name) => local.test(String(schema.shape[name]?.safeParse(undefined).data)))
  return { schema, names, onlyLocal }
}

export const readSettings = async (): Promise<ReadonlyMap<string, Settings>> =>
  new Map(await Promise.all(services.map(async (service) => [service, await read(service)] as const)))

/** @param image what the Dockerfile sets, @param given what the manifest sets on top of it */
export const environmentFindings = (
  where: string,
  image: Environment,
  given: Environment,
  settings: Settings | undefined,
): string[] => {
  if (!settings) return [`${where}: is no service of ours`]
  const all = { ...image, ...given }
  const findings = [
    ...Object.keys(given)
      .filter((name) => !settings.names.includes(name))
      .map((name) => `${where}: ${name} is no setting of the service`),
    ...settings.onlyLocal
      .filter((name) => all[name] === undefined)
      .map((name) => `${where}: ${name} is not set, and its default means this machine`),
  ]
  if (given.PORT === undefined) findings.push(`${where}: PORT is not set`)
  try {
    parseConfig(settings.schema, all)
  } catch (error) {
    findings.push(`${where}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return findings
}
