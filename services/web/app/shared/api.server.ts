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

const missing = new WeakSet<Readonly<RouterContextProvider>>()

/** Whether an answer to the page, so far, was one from which something may be missing; its loader tells the frame. */
export const isMissing = (context: Readonly<RouterContextProvider>): boolean => missing.has(context)

/** As the browser: its cookies say who asks, and what the API sets is set there. */
const fetchFromApi = async (context: Readonly<RouterContextProvider>, path: string, request: RequestInit) => {
  const { gatewayUrl, traceparent, browser, setCookie } = context.get(pageContext)
  const headers = { ...browser, ...request.headers, traceparent }
  const response = await fetch(new URL(path, gatewayUrl), { ...request, headers })
  for (const cookie of response.headers.getSetCookie()) setCookie(cookie)
  if (response.headers.has('headwater-parked')) missing.add(context)
  return response
}

type Answer = { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly problem: Problem }

const answerOf = async (
  context: Readonly<RouterContextProvider>,
  path: string,
  request: RequestInit,
): Promise<Answer> => {
  try {
    const response = await fetchFromApi(context, path, { ...request, signal: AbortSignal.timeout(answerTimeoutMs) })
    const body: unknown = await response.json()
    return response.ok ? { ok: true, body } : { ok: false, problem: problemBody.parse(body) }
  } catch (error) {
    context.get(pageContext).logger.error({ err: error, path }, 'the API does not answer')
    return { ok: false, problem: unavailable }
  }
}

const formsSent = new WeakMap<Readonly<RouterContextProvider>, FormData>()

/** The form that somebody sent to the page, which is theirs to send again when their session has ended meanwhile. */
export const readForm = async (context: Readonly<RouterContextProvider>, request: Request): Promise<FormData> => {
  const form = await request.formData()
  formsSent.set(context, form)
  return form
}

const notAForm = { status: 422, code: 'validation', detail: 'This is no form of the page.' }

/** The fields of any of our forms. @throws the error page for a form that no page of ours sends */
export const parseForm = <T>(form: FormData, schema: z.ZodType<T>): T => {
  const parsed = schema.safeParse(Object.fromEntries(form))
  if (!parsed.success) throw data(notAForm, { status: notAForm.status })
  return parsed.data
}

/** An idempotency key, so that a form sent twice counts once. */
export const formKey = z.uuid()

/** The page that gives a form back which nobody signed in has sent. */
const sessionEnded = (form: FormData) => {
  const sent = [...form].map(([name, value]) => [name, String(value)])
  return data({ code: 'session_ended', sent }, { status: 401 })
}

/** @throws the page that gives the form back to whom nobody knows any more */
const ask = async (
  context: Readonly<RouterContextProvider>,
  path: string,
  request: RequestInit = {},
): Promise<Answer> => {
  const answer = await answerOf(context, path, request)
  const form = formsSent.get(context)
  if (!answer.ok && answer.problem.status === 401 && form) throw sessionEnded(form)
  return answer
}

/** A document of the gateway's, which no page of ours can stand in for. */
const signIn = (context: Readonly<RouterContextProvider>, returnTo = context.get(pageContext).address): Response =>
  redirectDocument(`/auth/sign-in?${new URLSearchParams({ returnTo })}`)

/** What is at `path`. @throws the way to sign in where that may help, or the error page that says why not */
export const get = async <T>(
  context: Readonly<RouterContextProvider>,
  path: string,
  schema: z.ZodType<T>,
  headers: Readonly<Record<string, string>> = {},
): Promise<T> => {
  const answer = await ask(context, path, { headers })
  if (!answer.ok && answer.problem.status === 401) throw signIn(context)
  if (!answer.ok) throw data(answer.problem, { status: answer.problem.status })
  return schema.parse(answer.body)
}

/** The same for a page that is for all: undefined for whom nobody knows. @throws the error page */
export const getIfSignedIn = async <T>(
  context: Readonly<RouterContextProvider>,
  path: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> => {
  const answer = await ask(context, path)
  if (answer.ok) return schema.parse(answer.body)
  if (answer.problem.status === 401) return undefined
  throw data(answer.problem, { status: answer.problem.status })
}

const visitor = z.object({
  signedIn: z.boolean(),
  name: z.string().optional(),
  roles: z.array(z.string()),
  /** Of applications that this browser sent without an account. */
  loans: z.array(z.string()),
})
export type Visitor = z.infer<typeof visitor>

const visitors = new WeakMap<Readonly<RouterContextProvider>, Promise<Visitor | undefined>>()

const askWho = async (context: Readonly<RouterContextProvider>): Promise<Visitor | undefined> => {
  const answer = await ask(context, '/auth/me')
  return answer.ok ? visitor.parse(answer.body) : undefined
}

/** Who looks at the page; undefined while that cannot be known, which keeps nobody from a page that is for all. */
export const getVisitor = (context: Readonly<RouterContextProvider>): Promise<Visitor | undefined> => {
  // Several parts of one page ask.
  const asked = visitors.get(context) ?? askWho(context)
  visitors.set(context, asked)
  return asked
}

const fileHeaders = ['content-type', 'content-disposition'] as const

/**
 * The file at `path`, handed on while it is still being made; given up when `signal` says that nobody wants it.
 * @param options.page that offers the file: where to come back to after signing in
 */
export const download = async (
  context: Readonly<RouterContextProvider>,
  path: string,
  {
    page,
    headers,
    signal,
  }: { readonly page: string; readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<Response> => {
  const file = await fetchFromApi(context, path, { headers, signal })
  if (file.status === 401) throw signIn(context, page)
  if (!file.ok) throw data(problemBody.parse(await file.json()), { status: file.status })
  const told = fileHeaders.flatMap((name) => [[name, file.headers.get(name) ?? ''] as [string, string]])
  return new Response(file.body, { headers: told })
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

/** What is told only to who asks for it on purpose, by a form. */
export const getByPost = async <T>(
  context: Readonly<RouterContextProvider>,
  path: string,
  schema: z.ZodType<T>,
): Promise<{ ok: true; body: T } | { ok: false; problem: Problem }> => {
  const answer = await ask(context, path, { method: 'POST' })
  return answer.ok ? { ok: true, body: schema.parse(answer.body) } : answer
}
