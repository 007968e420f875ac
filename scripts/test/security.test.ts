// Keeps docs/security.md true: every file it points at is there, and every test it names is in the file it names.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const page = readFileSync(path.join(root, 'docs/security.md'), 'utf8')

/** A service or a package goes without the name of its folder. */
const fileOf = (named: string): string | undefined =>
  ['', 'services', 'packages'].map((folder) => path.join(root, folder, named)).find((file) => existsSync(file))

const files = [...page.matchAll(/`([\w.-]+\/[\w./-]+\.(?:ts|yaml))`/g)].map(([, named = '']) => named)
const tests = [...page.matchAll(/`([\w./-]+\.test\.ts)`: ("[^"]+"(?:, "[^"]+")*)/g)].flatMap(
  ([, named = '', titles = '']) => [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => [named, title] as const),
)

test.each([...new Set(files)])('%s is there', (named) => {
  expect(fileOf(named)).toBeDefined()
})

test.each(tests)('%s has a test "%s"', (named, title) => {
  expect(readFileSync(fileOf(named) ?? named, 'utf8')).toContain(title)
})

test('misses no title that the page quotes beside a test', () => {
  const rows = page.split('\n').filter((line) => /^\| \d/.test(line))
  const quoted = rows.flatMap((row) => [...(row.split(' | ').at(-1) ?? '').matchAll(/"([^"]+)"/g)])
  expect(quoted.length).toBeGreaterThan(0)
  expect(tests.map(([, title]) => title)).toEqual(quoted.map(([, title]) => title))
})
