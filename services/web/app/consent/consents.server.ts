// Reads consents for the two people of each, and sends the commands on them.
import { createHash } from 'node:crypto'
import { pathTo } from '@headwater/deciders/api'
import { consentApi } from '@headwater/deciders/consent/api'
import { data, type RouterContextProvider, redirect } from 'react-router'
import { get, type Problem, send } from '../shared/api.server.ts'
import { type ListName, listPath } from './list-path.ts'

type Context = Readonly<RouterContextProvider>

/** One's own list, with what one has just done oneself. */
export const listConsents = (context: Context, request: Request, path: ListName) => {
  const after = new URL(request.url).searchParams.get('after')
  const query = new URLSearchParams({ ...(after !== null && { after }) })
  return get(context, `${listPath(path)}&${query}`, consentApi.queries.consents.answer)
}

export const readHistory = (context: Context, consentId: string) =>
  get(context, pathTo(consentApi.queries.history.path, consentId), consentApi.queries.history.answer)

/** No end only if none was chosen; anything but a number of seconds is passed on, and refused by the service. */
const untilOf = (seconds: string): { until?: string } => {
  if (seconds === '') return {}
  return { until: /^\d{1,9}$/.test(seconds) ? new Date(Date.now() + Number(seconds) * 1_000).toISOString() : seconds }
}

/** The same form with the same answers is the same request, whatever the time by then. */
const keyOf = (form: FormData): string =>
  createHash('sha256')
    .update(JSON.stringify([...form]))
    .digest('base64url')

const inputOf = (form: FormData): { readonly name: keyof typeof consentApi.commands; readonly body: object } => {
  const field = (name: string) => String(form.get(name) ?? '').trim()
  const other = { kind: field('kind'), id: field('id') }
  const target = field('target')
  switch (form.get('do')) {
    case 'grant':
      return { name: 'grant', body: { to: other, target, ...untilOf(field('seconds')) } }
    case 'revoke':
      return { name: 'revoke', body: { from: other, target } }
    case 'decline':
      return { name: 'decline', body: { by: other, target } }
    default: {
      const [kind, purpose] = [field('kind'), field('purpose')]
      const body = { patientId: field('id'), target, ...(kind && { kind }), ...(purpose && { purpose }) }
      return { name: 'ask', body }
    }
  }
}

/** What a form of a page sends; leads back to `page`, which then shows what came of it, or says why nothing did. */
export const act = async (context: Context, request: Request, page: string) => {
  const form = await request.formData()
  const { name, body } = inputOf(form)
  const answer = await send(context, consentApi.commands[name].path, { key: keyOf(form), body })
  if (answer.ok) return redirect(`${page}?${new URLSearchParams({ after: answer.position, done: name })}`, 303)
  const { problem } = answer
  // Sent twice in a moment, and only the end of it differs: the first was taken.
  if (problem.code === 'idempotency_key_reused') return redirect(`${page}?${new URLSearchParams({ done: name })}`, 303)
  if ([401, 403, 503].includes(problem.status) && problem.code !== 'forbidden')
    throw data(problem, { status: problem.status })
  const input = Object.fromEntries(
    ['id', 'kind', 'target', 'purpose', 'seconds'].map((name) => [name, String(form.get(name) ?? '')]),
  )
  return data({ refused: sayWhy(problem), did: name, input }, { status: problem.status })
}

const fieldText: Readonly<Record<string, string>> = {
  patientId: 'Say whose record it is.',
  kind: 'Say in which of your roles you ask.',
  'to.id': 'Say who it is.',
}

const labels: Readonly<Record<string, string>> = { purpose: 'What for', until: 'How long' }

const sayWhy = ({ code, detail, errors = [] }: Problem): string => {
  if (code === 'no_such_grantee') return `${detail} Check it with them: they’ll find their ID on their own page.`
  return (
    errors.map(({ field, message }) => fieldText[field] ?? `${labels[field] ?? field}: ${message}.`).join(' ') || detail
  )
}
