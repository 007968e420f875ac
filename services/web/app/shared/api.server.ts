// Asks Headwater's JSON API on behalf of a page.
import { randomUUID } from 'node:crypto'
import { data, type RouterContextProvider, redirectDocument } from 'react-router'
import { z } from 'zod'
import { pageContext } from '../page-context.ts'

/** Longer than the gateway waits for the slowest command. */
const answerTimeoutMs = 20_000

const problemBody = z.looseObject({
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
})
/** Why a request was refused, as RFC 9457 puts it. */
export type Problem = z.infer<typeof problemBody>

const unavailable: Problem = { status: 503, code: 'service_unavailable', detail: 'The service does not answer.' }

/** As the browser: its cookies say who asks, and what the API sets is set there. */
const fetchFromApi = async (context: Readonly<RouterContextProvider>, path: string, request: RequestInit) => {
  const { gatewayUrl, traceparent, browser, setCookie } = context.get(pageContext)
  const headers = { ...browser, ...request.headers, traceparent }
  const response = await fetch(new URL(path, gatewayUrl), { ...request, headers })
  for (const cookie of response.headers.getSetCookie()) setCookie(cookie)
  return response
}

const ask = async (
  context: Readonly<RouterContextProvider>,
  path: string,
  request: RequestInit = {},
): Promise<{ ok: true; body: unknown } | { ok: false; problem: Problem }> => {
  try {
    const response = await fetchFromApi(context, path, { ...request, signal: AbortSignal.timeout(answerTimeoutMs) })
    const body: unknown = await response.json()
    return response.ok ? { ok: true, body } : { ok: false, problem: problemBody.parse(body) }
  } catch (error) {
    context.get(pageContext).logger.error({ err: error, path }, 'the API does not answer')
    return { ok: false, problem: unavailable }
  }
}

/** A document of the gateway's, which no page of ours can stand in for. */
const signIn = (context: Readonly<RouterContextProvider>): Response =>
  redirectDocument(`/auth/sign-in?${new URLSearchParams({ returnTo: context.get(pageContext).address })}`)

/** What is at `path`. @throws the way to sign in where that may help, or the error page that says why not */
export const get = async <T>(
  context: Readonly<RouterContextProvider>,
  path: string,
  schema: z.ZodType<T>,
): Promise<T> => {
  const answer = await ask(context, path)
  if (!answer.ok && answer.problem.status === 401) throw signIn(context)
  if (!answer.ok) throw data(answer.problem, { status: answer.problem.status })
  return schema.parse(answer.body)
}

const visitor = z.object({
  signedIn: z.boolean(),
  name: z.string().optional(),
  roles: z.array(z.string()),
  /** Of applications that this browser sent without an account. */
  loans: z.array(z.string()),
})
type Visitor = z.infer<typeof visitor>

/** Who looks at the page; undefined while that cannot be known, which keeps nobody from a page that is for all. */
export const getVisitor = async (context: Readonly<RouterContextProvider>): Promise<Visitor | undefined> => {
  const answer = await ask(context, '/auth/me')
  return answer.ok ? visitor.parse(answer.body) : undefined
}

const commandAnswer = z.object({ id: z.string(), position: z.string() })

/** Sends a command; sent again under the same key it is the same command. */
export const send = async (
  context: Readonly<RouterContextProvider>,
  path: string,
  { key, body }: { readonly key: string; readonly body: object },
): Promise<({ ok: true } & z.infer<typeof commandAnswer>) | { ok: false; problem: Problem }> => {
  const answer = await ask(context, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  })
  return answer.ok ? { ok: true, ...commandAnswer.parse(answer.body) } : answer
}

/** Sends what changes no stream of events; sent again under the same key, where there is one, it is the same request. */
export const post = async <T>(
  context: Readonly<RouterContextProvider>,
  path: string,
  { key, body = {} }: { readonly key?: string; readonly body?: object },
  schema: z.ZodType<T>,
): Promise<{ ok: true; body: T } | { ok: false; problem: Problem }> => {
  const answer = await ask(context, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
    body: JSON.stringify(body),
  })
  return answer.ok ? { ok: true, body: schema.parse(answer.body) } : answer
}

/** For a form, so that sending it twice is sending it once. */
export const newKey = (): string => randomUUID()
