// The ratchets of `scripts/tidy.ts`: what each counts, and that a number may only fall.
import { expect, test } from 'vitest'
import {
  contextsOutsideTheirRooms,
  crowdedFolders,
  dialectWords,
  filesInCircles,
  importsAcross,
  longClosures,
} from '../tidy/measures.ts'
import { compare, lowered } from '../tidy/ratchets.ts'
import { parse } from '../tidy/source.ts'

test('files that import each other are in a circle, also by types alone', () => {
  const sources = [
    parse('packages/a/src/one.ts', "import { two } from './two.ts'\nimport { far } from '@headwater/b/far'"),
    parse('packages/a/src/two.ts', "import type { One } from './one.ts'"),
    parse('packages/b/src/far.ts', "export { other } from './other.ts'"),
    parse('packages/b/src/other.ts', ''),
  ]
  expect(sources[0]?.imports).toEqual(['packages/a/src/two.ts', 'packages/b/src/far.ts'])
  expect(filesInCircles(sources)).toEqual({ 'packages/a': 2 })
})

test('a folder is crowded by its files, not by its tests nor by those of folders in it', () => {
  const files = (folder: string, count: number) =>
    Array.from({ length: count }, (_, n) => parse(`${folder}/file-${n}.ts`, ''))
  expect(
    crowdedFolders([
      ...files('packages/a/src', 15),
      ...files('packages/a/src/in', 14),
      ...files('packages/a/test', 99),
    ]),
  ).toEqual({ 'packages/a/src': 15 })
})

test('a context may be named in folders that bear its name, in tests and in scripts', () => {
  const text = 'export const shown = "Consents"'
  const places = ['services/consent/src/a.ts', 'packages/x/src/consent/a.ts', 'packages/x/test/a.ts', 'scripts/a.ts']
  expect(contextsOutsideTheirRooms(places.map((file) => parse(file, text)))).toEqual({})
  expect(contextsOutsideTheirRooms([parse('packages/x/src/a.ts', text)])).toEqual({ consent: 1 })
})

test('words to decode are counted in comments and in titles of tests only', () => {
  const text = [
    '// Is told by nobody.',
    "const told = 'nobody'",
    "test.each([1])('is %s for whoever asks', () => undefined)",
    'describe(`somebody`, () => undefined)',
  ].join('\n')
  expect(dialectWords([parse('packages/a/test/a.test.ts', text)])).toEqual({ 'packages/a': 4 })
})

test('a function is long with all that is in it, and a test never', () => {
  const long = `const run = () => {\n${'  work()\n'.repeat(80)}}`
  expect(longClosures([parse('packages/a/src/a.ts', long), parse('packages/a/test/a.ts', long)])).toEqual({
    'packages/a/src/a.ts': 1,
  })
})

test('an import leads across by its path, not by the name of a package', () => {
  const text = "import { a } from '../../b/src/a.ts'\nimport { c } from './c.ts'\nimport { d } from '@headwater/d/d'"
  expect(importsAcross([parse('packages/a/src/a.ts', text)])).toEqual({ 'packages/a': 1 })
})

test('what rises is said, what falls is to be recorded, and recording never raises', () => {
  const recorded = { words: { a: 3, b: 2, gone: 1 } }
  const found = { words: { a: 4, b: 1, fresh: 2 } }
  expect(compare(recorded, found)).toEqual({
    risen: ['a: 4 words, 3 before', 'fresh: 2 words, 0 before'],
    fallen: ['b: 1 words, 2 before', 'gone: 0 words, 1 before'],
  })
  expect(lowered(recorded, found)).toEqual({ words: { a: 3, b: 1 } })
})
