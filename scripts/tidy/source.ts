// The files of the repository and what their syntax says: imports, comments, test titles, functions.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'

/** One function: where it begins and how many lines it spans, its own closures included. */
type FunctionSpan = { readonly line: number; readonly lines: number }

export type Source = {
  readonly file: string
  readonly text: string
  /** Files of the repository that it imports, types included. */
  readonly imports: readonly string[]
  readonly comments: readonly string[]
  /** The titles of its tests and of their groups. */
  readonly titles: readonly string[]
  readonly functions: readonly FunctionSpan[]
}

const testCalls = new Set(['test', 'describe'])

export const tracked: readonly string[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard'],
  { encoding: 'utf8' },
)
  .split('\n')
  .filter((file) => file !== '' && existsSync(file))

export const code: readonly string[] = tracked.filter((file) =>
  /^(packages|services|scripts)\/.*\.(ts|tsx|js|mjs)$/.test(file),
)

export const isTest = (file: string): boolean => /\/(test|test-kit)\//.test(file)

/** The package, service or tool that a file belongs to, such as `packages/eventstore`. */
export const roomOf = (file: string): string =>
  file
    .split('/')
    .slice(0, file.startsWith('scripts/') ? 1 : 2)
    .join('/')

const ourPackage = /^@headwater\/([^/]+)\/(.+)$/

const importedFile = (from: string, name: string): string | undefined => {
  const [, owner, module] = ourPackage.exec(name) ?? []
  if (owner !== undefined) return `packages/${owner}/src/${module}.ts`
  return name.startsWith('.') ? path.posix.join(path.posix.dirname(from), name) : undefined
}

type Called = { readonly type: string; readonly name?: string; readonly object?: Called; readonly callee?: Called }

/** `test` of `test(...)`, `test.each(...)(...)` and `test.each([...])(...)`. */
const rootName = (called: Called | undefined): string | undefined =>
  called?.type === 'Identifier' ? called.name : called && rootName(called.object ?? called.callee)

/** @param file as it is named in the repository */
export const parse = (file: string, text: string): Source => {
  const { program, comments, module, errors } = parseSync(file, text)
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`)
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
  const lineOf = (offset: number): number => {
    const next = starts.findIndex((start) => start > offset)
    return next < 0 ? starts.length : next
  }
  const functions: FunctionSpan[] = []
  const titles: string[] = []
  const span = ({ start, end }: { start: number; end: number }) => {
    const line = lineOf(start)
    functions.push({ line, lines: lineOf(end) - line + 1 })
  }
  new Visitor({
    FunctionDeclaration: span,
    FunctionExpression: span,
    ArrowFunctionExpression: span,
    CallExpression: (call) => {
      const [title] = call.arguments
      if (title?.type !== 'Literal' && title?.type !== 'TemplateLiteral') return
      if (testCalls.has(rootName(call.callee as Called) ?? '')) titles.push(text.slice(title.start + 1, title.end - 1))
    },
  }).visit(program)
  const names = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
    ),
  ]
  return {
    file,
    text,
    imports: [...new Set(names)].flatMap((name) => importedFile(file, name) ?? []),
    comments: comments.map(({ value }) => value),
    titles,
    functions,
  }
}

export const readSources = (files: readonly string[]): readonly Source[] =>
  files.map((file) => parse(file, readFileSync(file, 'utf8')))
