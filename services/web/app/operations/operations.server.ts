// What follows the event store as the API tells operators of it, and what their forms ask for.
import { asked, operations, parkedList } from '@headwater/deciders/operations/operations'
import { data, type RouterContextProvider, redirect } from 'react-router'
import { z } from 'zod'
import { get, type Problem, parseForm, post, readForm } from '../shared/api.server.ts'
import { operationsPath, parkedPath } from './paths.ts'

type Context = Readonly<RouterContextProvider>

export const readOperations = async (context: Context) => {
  const [overview, parked] = await Promise.all([
    get(context, operationsPath, operations),
    get(context, parkedPath, parkedList),
  ])
  return { overview, parked, openedAt: new Date().toISOString() }
}

const name = z.string()
const form = z.discriminatedUnion('do', [
  z.object({ do: z.enum(['pause', 'resume', 'rebuild', 'stop-rebuild']), of: name, node: name }),
  z.object({ do: z.literal('retry'), of: name, node: name, id: name }),
  z.object({ do: z.literal('skip'), of: name, node: name, id: name, reason: name }),
  z.object({ do: z.literal('run-again'), id: name }),
  z.object({ do: z.literal('skip-job'), id: name, reason: name }),
])
type Wanted = z.infer<typeof form>

const requestOf = (wanted: Wanted): { readonly path: string; readonly body: object } => {
  switch (wanted.do) {
    case 'retry':
      return { path: `parked/${encodeURIComponent(wanted.id)}/retry`, body: { follower: wanted.of, node: wanted.node } }
    case 'skip': {
      const { id, of: follower, node, reason } = wanted
      return { path: `parked/${encodeURIComponent(id)}/skip`, body: { follower, node, reason } }
    }
    case 'run-again':
      return { path: `parked-jobs/${encodeURIComponent(wanted.id)}/run-again`, body: {} }
    case 'skip-job':
      return { path: `parked-jobs/${encodeURIComponent(wanted.id)}/skip`, body: { reason: wanted.reason } }
    default:
      return { path: `followers/${encodeURIComponent(wanted.of)}/${wanted.do}`, body: { node: wanted.node } }
  }
}

const isLength = /^(?:is missing|at (?:least|most) \d+ characters)$/

const sayWhy = ({ detail, errors = [] }: Problem): string => {
  const reason = errors.find(({ field }) => field === 'reason')
  if (!reason) return detail
  return isLength.test(reason.message) ? 'Say why in 3 to 500 characters.' : `The reason: ${reason.message}.`
}

const skippingOf = (wanted: Wanted): Refused['skipping'] => {
  if (wanted.do === 'skip') return { id: wanted.id, of: wanted.of, reason: wanted.reason }
  return wanted.do === 'skip-job' ? { id: wanted.id, of: 'jobs', reason: wanted.reason } : undefined
}

/** What a form of the page asks for; leads back to the page, or says why that was not done. */
export const act = async (context: Context, request: Request) => {
  const wanted = parseForm(await readForm(context, request), form)
  const { path, body } = requestOf(wanted)
  const answer = await post(context, `${operationsPath}/${path}`, { body }, asked)
  if (answer.ok) {
    const done = new URLSearchParams({ done: wanted.do, of: answer.body.follower })
    return redirect(`/operations?${done}`, 303)
  }
  const { problem } = answer
  if (problem.status === 403) throw data(problem, { status: problem.status })
  return data({ refused: sayWhy(problem), skipping: skippingOf(wanted) }, { status: problem.status })
}

export type Refused = {
  readonly refused: string
  readonly skipping: { id: string; of: string; reason: string } | undefined
}
