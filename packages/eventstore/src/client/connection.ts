// Opens and closes connections of the official client, and classifies its errors.
import { DeadlineExceededError, EventStoreDBClient, NotLeaderError, UnknownError } from '@eventstore/db-client'

const keepAliveTimeoutMsDefault = 10_000
/** Codes of gRPC (https://grpc.io/docs/guides/status-codes): cancelled, unknown, deadline exceeded, aborted, unavailable. */
const outageCodes = new Set<unknown>([1, 2, 4, 10, 14])

let connections = 0

/**
 * A client with its own TCP connection. grpc-js shares one connection among all channels to an address with equal
 * options, so that a new client would get the broken connection of the old one: so each connection has a time-out that
 * differs by a millisecond.
 */
export const newConnection = (url: string): EventStoreDBClient => {
  const [address, query = ''] = url.split('?')
  const options = new URLSearchParams(query)
  const named = [...options.keys()].find((key) => key.toLowerCase() === 'keepalivetimeout') ?? 'keepAliveTimeout'
  connections = (connections + 1) % keepAliveTimeoutMsDefault
  options.set(named, String(Number(options.get(named) ?? keepAliveTimeoutMsDefault) + connections))
  return EventStoreDBClient.connectionString(`${address}?${options}`)
}

/** True when the server did not answer, or not reliably: the call may be repeated, its outcome is unknown. */
export const isOutage = (error: unknown): boolean =>
  error instanceof NotLeaderError ||
  // The errors of a batched append are inside its answer and have no code: the server's time-out, or "unknown".
  error instanceof DeadlineExceededError ||
  (error instanceof UnknownError && error.code === undefined) ||
  (error instanceof Error && 'code' in error && outageCodes.has(error.code)) ||
  // The client wrote to a stream that had just ended.
  (error instanceof Error && /write after end/.test(error.message))

/** The protected member of {@link EventStoreDBClient} with its channel. */
type ChannelOwner = { readonly getChannel: () => Promise<{ readonly close: () => void }> }

/**
 * Closes the TCP connection of a client after its calls. The client has no method for it: `dispose` ends the calls, and
 * grpc-js closes the connection only after half an hour without use.
 */
export const closeChannel = async (client: EventStoreDBClient): Promise<void> => {
  const channel = await (client as unknown as ChannelOwner).getChannel().catch(() => undefined)
  channel?.close()
}
