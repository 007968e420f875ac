// What the ratchets measure: numbers that say how far the house is from its plan, each by the place where it can be lowered.
import path from 'node:path'
import { isTest, roomOf, type Source } from './source.ts'

/** How many, by place. A place without any is left out. */
export type Counts = Readonly<Record<string, number>>

const folderFilesMax = 14
const closureLinesMax = 80
/** Words that a stranger has to decode: `whoever asks` is "the caller". */
const dialect =
  /\b(whoever|whatever it was|nobody|somebody|of whom|what is there is|so long|so often|taken in|begun|told)\b/gi
const contexts = ['loan', 'consent']

const count = (places: Iterable<string>): Counts => {
  const counts: Record<string, number> = {}
  for (const place of places) counts[place] = (counts[place] ?? 0) + 1
  return counts
}

const isProduct = ({ file }: Source): boolean => !isTest(file) && !file.startsWith('scripts/')

/** Files of a folder, where they are more than a reader takes in at a glance. */
export const crowdedFolders = (sources: readonly Source[]): Counts =>
  Object.fromEntries(
    Object.entries(
      count(sources.filter(({ file }) => !isTest(file)).map(({ file }) => path.posix.dirname(file))),
    ).filter(([, files]) => files > folderFilesMax),
  )

/** Files that reach themselves over imports, types included, by the package or service they are in. */
export const filesInCircles = (sources: readonly Source[]): Counts => {
  const importsOf = new Map(sources.map(({ file, imports }) => [file, imports]))
  const reachesItself = (file: string): boolean => {
    const seen = new Set<string>()
    const next = [...(importsOf.get(file) ?? [])]
    for (let one = next.pop(); one !== undefined; one = next.pop()) {
      if (one === file) return true
      if (seen.has(one)) continue
      seen.add(one)
      next.push(...(importsOf.get(one) ?? []))
    }
    return false
  }
  return count(sources.filter(({ file }) => reachesItself(file)).map(({ file }) => roomOf(file)))
}

/** Files of the product that name a context and are in no folder of its name. */
export const contextsOutsideTheirRooms = (sources: readonly Source[]): Counts =>
  count(
    contexts.flatMap((context) =>
      sources
        .filter((source) => isProduct(source) && !source.file.split('/').includes(context))
        .filter(({ text }) => text.toLowerCase().includes(context))
        .map(() => context),
    ),
  )

/** Words of the dialect in comments and in titles of tests, by the package or service. */
export const dialectWords = (sources: readonly Source[]): Counts =>
  count(
    sources
      .filter(({ file }) => !file.startsWith('scripts/tidy/'))
      .flatMap(({ file, comments, titles }) =>
        [...comments, ...titles].flatMap((words) => [...words.matchAll(dialect)].map(() => roomOf(file))),
      ),
  )

/** Functions of more lines than fit a screen, by file. */
export const longClosures = (sources: readonly Source[]): Counts =>
  count(
    sources
      .filter(isProduct)
      .flatMap(({ file, functions }) => functions.filter(({ lines }) => lines > closureLinesMax).map(() => file)),
  )

/** Imports by relative path from one package or service into another, by the importing one. */
export const importsAcross = (sources: readonly Source[]): Counts =>
  count(
    sources.flatMap(({ file, text }) =>
      [...text.matchAll(/from '(\.[^']+)'/g)]
        .map(([, name = '']) => path.posix.join(path.posix.dirname(file), name))
        .filter((imported) => roomOf(imported) !== roomOf(file))
        .map(() => roomOf(file)),
    ),
  )

export const measures: Readonly<Record<string, (sources: readonly Source[]) => Counts>> = {
  [`files in folders of more than ${folderFilesMax}`]: crowdedFolders,
  'files in circles of imports': filesInCircles,
  'files that name a context outside its rooms': contextsOutsideTheirRooms,
  'words to decode in comments and test titles': dialectWords,
  [`functions of more than ${closureLinesMax} lines`]: longClosures,
  'relative imports into another package': importsAcross,
}
