// Holds user names and e-mail addresses for users, one user each, and takes back what somebody reserved and never got to have.
import { randomUUID } from 'node:crypto'
import { Rejection } from '@headwater/deciders/decider'
import { identifierTaken } from '@headwater/deciders/identity/reservation'
import { emailStream, usernameStream } from '@headwater/deciders/identity/streams'
import type { UserCommand } from '@headwater/deciders/identity/user'
import { type EventStore, StreamDeleted } from '@headwater/eventstore/client/client'
import { type CommandHandler, createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { readState } from '@headwater/eventstore/commands/read-known'
import { keyedId } from '@headwater/eventstore/keyed-id'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'

/** What is reserved for so long without being had was left behind by a process that ended, or that will come too late. */
const reservedMsMax = 30_000
/** Another user may reserve each time that a reservation is released. */
const reserveTriesMax = 3

export type Identifier = { readonly userName: string } | { readonly email: string }

/** Who asks for what is done, for the record. */
export type Origin = {
  readonly actor: string
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
}

export type Reservations = {
  /**
   * The id of the reservation, for {@link release}.
   * @throws Rejection `identifier_taken`
   */
  readonly reserve: (identifier: Identifier, userId: string, origin: Origin) => Promise<string>
  readonly release: (identifier: Identifier, userId: string, reservationId: string, origin: Origin) => Promise<void>
  /** Who has or is about to have it, and by which reservation. */
  readonly holderOf: (
    identifier: Identifier,
  ) => Promise<{ readonly userId: string; readonly reservationId: string } | undefined>
}

export type ReservationsOptions = {
  readonly store: EventStore
  readonly users: CommandHandler<UserCommand>
  /** Makes the names of the streams. */
  readonly key: string
  readonly logger: Logger
  readonly nowMs: () => number
}

const streams = { username: usernameStream, email: emailStream }

export const createReservations = ({ store, users, key, logger, nowMs }: ReservationsOptions): Reservations => {
  const handlers = {
    username: createCommandHandler({ store, stream: streams.username, logger }),
    email: createCommandHandler({ store, stream: streams.email, logger }),
  }
  const placeOf = (identifier: Identifier) => {
    const [category, text] =
      'email' in identifier ? (['email', identifier.email] as const) : (['username', identifier.userName] as const)
    return { category, id: keyedId(key, `${category}:${text}`) }
  }
  const now = () => new Date(nowMs()).toISOString()

  const send = async (
    identifier: Identifier,
    type: 'ReserveIdentifier' | 'ReleaseIdentifier',
    reserved: { readonly userId: string; readonly reservationId: string },
    origin: Origin,
  ) => {
    const { category, id } = placeOf(identifier)
    const commandId = randomUUID()
    const command = { type, data: { ...reserved, at: now() } } as const
    try {
      await handlers[category].handle({ ...origin, id, command, commandId, requestHash: commandId })
    } catch (error) {
      if (!(error instanceof StreamDeleted)) throw error
      // The stream is deleted for good, and with it the reservation to release.
      if (type === 'ReserveIdentifier') throw identifierTaken()
    }
  }

  const stateOf = (identifier: Identifier) => {
    const { category, id } = placeOf(identifier)
    return readState(store, streams[category], id).catch((error) =>
      error instanceof StreamDeleted ? streams[category].decider.initialState : Promise.reject(error),
    )
  }

  /** Whether it can be had now: whoever reserved it long ago and does not have it gives it up first. */
  const released = async (identifier: Identifier, origin: Origin): Promise<boolean> => {
    const held = await stateOf(identifier)
    if (held.status === 'free') return true
    if (nowMs() - Date.parse(held.at) < reservedMsMax) return false
    const { userId, reservationId } = held
    const commandId = randomUUID()
    const command = { type: 'AbandonIdentifier', data: { userId, identifier, at: now() } } as const
    try {
      // First: what is under way there cannot come to its end after this.
      await users.handle({ ...origin, id: userId, command, commandId, requestHash: commandId })
    } catch (error) {
      if (error instanceof Rejection && error.code === 'identifier_in_use') return false
      // A deleted user gets no identifiers any more.
      if (!(error instanceof StreamDeleted)) throw error
    }
    await send(identifier, 'ReleaseIdentifier', { userId, reservationId }, origin)
    return true
  }

  return {
    reserve: async (identifier, userId, origin) => {
      const reservationId = randomUUID()
      for (let tries = 1; ; tries++)
        try {
          await send(identifier, 'ReserveIdentifier', { userId, reservationId }, origin)
          return reservationId
        } catch (error) {
          const taken = error instanceof Rejection && error.code === 'identifier_taken'
          if (!taken || tries === reserveTriesMax || !(await released(identifier, origin))) throw error
        }
    },
    release: (identifier, userId, reservationId, origin) =>
      send(identifier, 'ReleaseIdentifier', { userId, reservationId }, origin),
    holderOf: async (identifier) => {
      const state = await stateOf(identifier)
      return state.status === 'reserved' ? state : undefined
    },
  }
}
