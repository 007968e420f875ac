// Connections to the store through the official client, and what its errors mean.
import { DeadlineExceededError, EventStoreDBClient, NotLeaderError, UnknownError } from '@eventstore/db-client'

const keepAliveTimeoutMsDefault = 10_000
/** Codes of gRPC (https://grpc.io/docs/guides/status-codes): cancelled, unknown, deadline exceeded, aborted, unavailable. */
const outageCodes = new Set<unknown>([1, 2, 4, 10, 14])

let connections = 0

/**
 * A client with a TCP connection of its own. grpc-js shares one connection among all channels to an address whose
 * options are equal, so that a new client would get the broken connection of the old one: the time-out differs by a
 * millisecond a connection.
 */
export const newConnection = (url: string): EventStoreDBClient => {
  const [address, query = ''] = url.split('?')
  const options = new URLSearchParams(query)
  const named = [...options.keys()].find((key) => key.toLowerCase() === 'keepalivetimeout') ?? 'keepAliveTimeout'
  connections = (connections + 1) % keepAliveTimeoutMsDefault
  options.set(named, String(Number(options.get(named) ?? keepAliveTimeoutMsDefault) + connections))
  return EventStoreDBClient.connectionString(`${address}?${options}`)
}

/** True when the server did not answer, or not for sure: the call may be made again, and what it did is not known. */
export const isOutage = (error: unknown): boolean =>
  error instanceof NotLeaderError ||
  // What a batched append ends with is inside its answer and has no code: the server's own time-out, or "unknown".
  error instanceof DeadlineExceededError ||
  (error instanceof UnknownError && error.code === undefined) ||
  (error instanceof Error && 'code' in error && outageCodes.has(error.code)) ||
  // The client writes on a stream that it has not yet seen to be gone.
  (error instanceof Error && /write after end/.test(error.message))

/** What {@link EventStoreDBClient} keeps for those who extend it. */
type ChannelOwner = { readonly getChannel: () => Promise<{ readonly close: () => void }> }

/**
 * Closes the TCP connection of a client whose calls are over. The client has no call for it: its `dispose` ends the
 * calls and leaves the connection open until grpc-js has found it idle for half an hour.
 */
export const hangUp = async (client: EventStoreDBClient): Promise<void> => {
  const channel = await (client as unknown as ChannelOwner).getChannel().catch(() => undefined)
  channel?.close()
}
