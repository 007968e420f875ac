// The messages of /live: what a client may send, and how the server's look.
import { field, optionalText, reference } from '@headwater/deciders/fields'
import { z } from 'zod'

const idLengthMax = 64
const topicLengthMax = 64
const tokenLengthMax = 200

/** Only sent back to the socket that it came from, as it came. */
const id = field('live query', z.string().min(1).max(idLengthMax))

const clientMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('subscribe'),
    /** Chosen by the client; the server's messages about the live query carry it. */
    id,
    topic: reference(topicLengthMax),
    filter: z.unknown().optional(),
    /** The last token of an earlier connection, to be told only what changed since. */
    token: optionalText(reference(tokenLengthMax)),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id }),
])

export type ClientMessage = z.infer<typeof clientMessage>

export type LiveErrorCode =
  | 'malformed_message'
  | 'unknown_topic'
  | 'invalid_filter'
  | 'not_signed_in'
  | 'forbidden'
  | 'id_in_use'
  | 'too_many_subscriptions'
  | 'too_many_requests'
  | 'unavailable'

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The message that `text` is, or undefined when it is none. */
export const parseClientMessage = (text: string): ClientMessage | undefined =>
  clientMessage.safeParse(parseJson(text)).data

/** Rows and changes come as JSON already: one serialisation serves every socket. */
export const snapshotMessage = (id: string, rows: readonly string[], token: string): string =>
  `{"type":"snapshot","id":${JSON.stringify(id)},"rows":[${rows.join()}],"token":${JSON.stringify(token)}}`

export const changeMessage = (id: string, changes: Iterable<string>, token: string): string =>
  `{"type":"change","id":${JSON.stringify(id)},"changes":[${[...changes].join()}],"token":${JSON.stringify(token)}}`

export const errorMessage = (code: LiveErrorCode, message: string, id?: string): string =>
  JSON.stringify({ type: 'error', id, code, message })

export const heartbeatMessage = (at: Date): string => JSON.stringify({ type: 'heartbeat', at })
