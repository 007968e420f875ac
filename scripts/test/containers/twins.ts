// Lets TypeScript read manifests: its check for excess properties finds misspelt fields, which Kubernetes would silently drop.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Manifest } from './kustomize.ts'

const directory = '.data/manifest-twins'
const flags = [
  '--noEmit',
  '--strict',
  '--skipLibCheck',
  '--pretty',
  'false',
  '--module',
  'nodenext',
  '--target',
  'es2024',
  '--types',
  '',
]

const partial = `type Part<T> = T extends readonly (infer Item)[] ? Part<Item>[] : T extends object ? { [Key in keyof T]?: Part<T[Key]> } : T`

/** What TypeScript finds, each with the kind and name of the manifest. Patches may leave fields out. */
export const twinFindings = (manifests: readonly Manifest[], patches: readonly Manifest[] = []): string[] => {
  const twins = [...manifests, ...patches].map((manifest, index) => {
    const type = `I${manifest.kind}`
    const code = [
      `import type { ${type} } from 'kubernetes-models/${manifest.apiVersion}/${manifest.kind}'`,
      partial,
      `export const manifest: ${index < manifests.length ? type : `Part<${type}>`} = ${JSON.stringify(manifest, null, 2)}`,
    ]
    const { name, namespace = '' } = manifest.metadata
    return { file: `${manifest.kind}.${namespace}.${name}.${index}.ts`, code: `${code.join('\n')}\n` }
  })
  mkdirSync(directory, { recursive: true })
  for (const { file, code } of twins) writeFileSync(path.join(directory, file), code)
  const tsc = path.resolve('node_modules/.bin/tsc')
  const { stdout, stderr, status } = spawnSync(tsc, [...flags, ...twins.map(({ file }) => file)], {
    cwd: directory,
    encoding: 'utf8',
  })
  const findings = `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
  return status !== 0 && findings.length === 0 ? [`tsc ended with ${status}`] : findings
}
