// Renders a kustomization in the way of `kubectl kustomize`, for the few features that ours use; more of them are an error.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'

export type Json = null | boolean | number | string | Json[] | JsonObject
type JsonObject = { [key: string]: Json | undefined }
export type Manifest = JsonObject & {
  apiVersion: string
  kind: string
  metadata: JsonObject & { name: string; namespace?: string; labels?: Record<string, string> }
}

type Generator = { name: string; namespace?: string; behavior?: 'create' | 'merge'; literals: string[] }
type Kustomization = {
  namespace?: string
  resources?: string[]
  labels?: { pairs: Record<string, string>; includeTemplates?: boolean }[]
  configMapGenerator?: Generator[]
  images?: { name: string; newName?: string; newTag?: string }[]
  patches?: { path: string }[]
}
/** What was rendered, and from which files. */
export type Rendered = { readonly manifests: Manifest[]; readonly files: string[] }

const known: Readonly<Record<string, readonly string[]>> = {
  kustomization: ['apiVersion', 'kind', 'namespace', 'resources', 'labels', 'configMapGenerator', 'images', 'patches'],
  labels: ['pairs', 'includeTemplates'],
  configMapGenerator: ['name', 'namespace', 'behavior', 'literals'],
  images: ['name', 'newName', 'newTag'],
  patches: ['path'],
}

export const readDocuments = <T = Manifest>(file: string): T[] =>
  parseAllDocuments(readFileSync(file, 'utf8'), { uniqueKeys: true }).map((document) => {
    for (const trouble of [...document.errors, ...document.warnings]) throw new Error(`${file}: ${trouble.message}`)
    return document.toJS()
  })

const refuseUnknown = (file: string, part: string, value: object) => {
  for (const key of Object.keys(value))
    if (!known[part]?.includes(key)) throw new Error(`${file}: ${part} has "${key}", which is not rendered here`)
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isNamed = (value: Json | undefined): value is JsonObject => isObject(value) && typeof value.name === 'string'

/** A strategic merge: objects field by field, lists of named things by their names, everything else replaced. */
const merge = (base: Json | undefined, patch: Json | undefined): Json | undefined => {
  if (isObject(base) && isObject(patch)) {
    const merged: JsonObject = { ...base }
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) delete merged[key]
      else merged[key] = merge(base[key], value)
    }
    return merged
  }
  if (Array.isArray(base) && Array.isArray(patch) && patch.every(isNamed) && base.every(isNamed)) {
    const patched = base.map((item) => {
      const change = patch.find(({ name }) => name === item.name)
      return (change ? merge(item, change) : item) as Json
    })
    return [...patched, ...patch.filter(({ name }) => !base.some((item) => item.name === name))]
  }
  return patch
}

const clusterWide = ['Namespace']
const templateOf = ({ spec }: Manifest): JsonObject | undefined =>
  isObject(spec) && isObject(spec.template) ? spec.template : undefined

const generate = (
  manifests: Manifest[],
  { name, namespace, behavior = 'create', literals }: Generator,
  file: string,
) => {
  const pairs = literals.map((literal) => [
    literal.slice(0, literal.indexOf('=')),
    literal.slice(literal.indexOf('=') + 1),
  ])
  const data: Record<string, string> = Object.fromEntries(pairs)
  const existing = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name && metadata.namespace === namespace,
  )
  if ((behavior === 'merge') !== (existing !== undefined)) throw new Error(`${file}: ${name} cannot ${behavior}`)
  if (existing) existing.data = { ...(existing.data as Record<string, string>), ...data }
  else
    manifests.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...(namespace && { namespace }) }, data })
}

const patch = (manifests: Manifest[], change: Manifest, file: string) => {
  const index = manifests.findIndex(
    ({ kind, metadata }) => kind === change.kind && metadata.name === change.metadata.name,
  )
  const target = manifests[index]
  if (!target) throw new Error(`${file}: there is no ${change.kind} ${change.metadata.name} to patch`)
  if (target.apiVersion !== change.apiVersion)
    throw new Error(`${file}: ${change.metadata.name} is ${target.apiVersion}`)
  manifests[index] = merge(target, change) as Manifest
}

const renameImages = (manifests: Manifest[], images: NonNullable<Kustomization['images']>, file: string) => {
  const specs = manifests.map((manifest) => templateOf(manifest)?.spec)
  const containers = specs.flatMap((spec) => (isObject(spec) ? (spec.containers as JsonObject[]) : []))
  for (const image of images) {
    refuseUnknown(file, 'images', image)
    const meant = containers.filter((container) => container.image === image.name)
    if (meant.length === 0) throw new Error(`${file}: no container has the image ${image.name}`)
    for (const container of meant)
      container.image = `${image.newName ?? image.name}${image.newTag === undefined ? '' : `:${image.newTag}`}`
  }
}

const label = (manifest: Manifest, pairs: Record<string, string>, includeTemplates: boolean) => {
  manifest.metadata.labels = { ...manifest.metadata.labels, ...pairs }
  const metadata = includeTemplates && templateOf(manifest)?.metadata
  if (metadata && isObject(metadata)) metadata.labels = { ...(metadata.labels as JsonObject), ...pairs }
}

export const render = (directory: string): Rendered => {
  const file = path.join(directory, 'kustomization.yaml')
  const [kustomization] = readDocuments<Kustomization>(file)
  if (!kustomization) throw new Error(`${file} is empty`)
  refuseUnknown(file, 'kustomization', kustomization)
  const manifests: Manifest[] = []
  const files = [file]
  for (const resource of kustomization.resources ?? []) {
    const from = path.join(directory, resource)
    const rendered: Rendered = resource.endsWith('.yaml')
      ? { manifests: readDocuments(from), files: [from] }
      : render(from)
    manifests.push(...rendered.manifests)
    files.push(...rendered.files)
  }
  for (const generator of kustomization.configMapGenerator ?? []) {
    refuseUnknown(file, 'configMapGenerator', generator)
    generate(manifests, generator, file)
  }
  for (const { path: name, ...rest } of kustomization.patches ?? []) {
    refuseUnknown(file, 'patches', rest)
    const from = path.join(directory, name)
    for (const change of readDocuments(from)) patch(manifests, change, from)
    files.push(from)
  }
  for (const manifest of manifests) {
    if (kustomization.namespace !== undefined) {
      if (!clusterWide.includes(manifest.kind)) manifest.metadata.namespace = kustomization.namespace
      else manifest.metadata.name = kustomization.namespace
    }
    for (const { pairs, includeTemplates = false } of kustomization.labels ?? [])
      label(manifest, pairs, includeTemplates)
  }
  renameImages(manifests, kustomization.images ?? [], file)
  return { manifests, files }
}
