// Partners' webhooks as the API tells operators of them.
import { type delivery, deliveryList, webhookList, webhookWithSecret } from '@headwater/deciders/webhook/webhook'
import { data, type RouterContextProvider } from 'react-router'
import { z } from 'zod'
import { get, type Problem, post } from '../../shared/api.server.ts'

type Context = Readonly<RouterContextProvider>

const api = '/api/webhooks'

export const listWebhooks = (context: Context) => get(context, api, webhookList)

export const readWebhook = (context: Context, id: string) =>
  get(context, `${api}/${encodeURIComponent(id)}/deliveries`, deliveryList)

export const registerWebhook = (context: Context, key: string, input: { partner: string; url: string }) =>
  post(context, api, { key, body: input }, webhookWithSecret)

export const rotateSecret = (context: Context, id: string, secretVersion: number) =>
  post(context, `${api}/${encodeURIComponent(id)}/rotate-secret`, { body: { secretVersion } }, webhookWithSecret)

/** Disabling, enabling, telling again: nothing of the answer is shown but that it was done. */
export const change = (context: Context, path: string) => post(context, `${api}/${path}`, {}, z.unknown())

/** @throws the error page, where a form cannot say more */
export const orErrorPage = (problem: Problem): Problem => {
  if ([403, 404, 503].includes(problem.status)) throw data(problem, { status: problem.status })
  return problem
}

export type DeliveryShown = z.infer<typeof delivery>
