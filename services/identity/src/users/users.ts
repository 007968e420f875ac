// Users: registered, found, changed and disabled. Each step may be the last before the process ends; what is begun again is taken up.

import { createHmac, randomUUID } from 'node:crypto'
import { Rejection } from '@headwater/deciders/decider'
import { userStream } from '@headwater/deciders/identity/streams'
import type { registerUserInput, UserCommand, UserState } from '@headwater/deciders/identity/user'
import { type EventStore, StreamDeleted } from '@headwater/eventstore/client/client'
import type { CommandAnswer } from '@headwater/eventstore/commands/command-request'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { readKnown } from '@headwater/eventstore/commands/read-known'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { v5 as uuidV5 } from 'uuid'
import type { z } from 'zod'
import type { Credentials } from './credentials.ts'
import { createReservations, type Identifier, type Origin } from './reservations.ts'

const namespace = '0b0c0f5e-94f1-5c8a-9e0b-2d9a3b1c7f60'
/** Is looked for where a name is nobody's, so that the answer takes as long. */
const nobodysId = uuidV5('nobody', namespace)

export type ActiveUser = Extract<UserState, { status: 'active' }>

export type Registration = z.infer<typeof registerUserInput> & { readonly roles: readonly string[] }

export type Users = {
  /**
   * @param key secret, of this registration: who repeats it means the same one
   * @throws Rejection `identifier_taken`, `registration_abandoned`, `idempotency_key_reused`
   */
  readonly register: (registration: Registration, key: string, origin?: Omit<Origin, 'actor'>) => Promise<string>
  /** Undefined for a user who is not registered, is disabled or was deleted. */
  readonly find: (userId: string) => Promise<ActiveUser | undefined>
  /**
   * Undefined when name and password are not an active user's; never says which of it is wrong, nor by how long it takes.
   * @param wrong is called where the name is a user's and only the password is not
   */
  readonly authenticate: (
    userName: string,
    password: string,
    wrong?: (user: ActiveUser) => void,
  ) => Promise<ActiveUser | undefined>
  /** @throws Rejection `identifier_taken`, `user_disabled`, `revision_mismatch` when the user is being changed elsewhere */
  readonly changeEmail: (userId: string, email: string, origin: Origin) => Promise<void>
  readonly changePassword: (userId: string, password: string, origin: Origin) => Promise<void>
  /** @throws Rejection `user_not_found`, `own_account` */
  readonly disable: (userId: string, origin: Origin) => Promise<CommandAnswer>
}

export type UsersOptions = {
  readonly store: EventStore
  readonly credentials: Credentials
  /** Makes the names of the streams of reservations. */
  readonly key: string
  readonly logger: Logger
  readonly nowMs?: () => number
}

export const createUsers = (options: UsersOptions): Users => {
  const { store, credentials, key: streamsKey, logger, nowMs = Date.now } = options
  const commands = createCommandHandler({ store, stream: userStream, logger })
  const reservations = createReservations({ store, users: commands, key: streamsKey, logger, nowMs })
  const now = () => new Date(nowMs()).toISOString()

  const read = (userId: string) => readKnown(store, userStream, userId)

  const send = (command: UserCommand, origin: Origin, expectedRevision?: bigint) => {
    const commandId = randomUUID()
    const { userId: id } = command.data
    return commands.handle({ ...origin, id, command, commandId, requestHash: commandId, expectedRevision })
  }

  const find: Users['find'] = async (userId) => {
    const state = await read(userId).then(
      (known) => known.state,
      (error) => (error instanceof StreamDeleted ? userStream.decider.initialState : Promise.reject(error)),
    )
    return state.status === 'active' ? state : undefined
  }

  /** Runs `work` with all of them reserved; what fails gives them back. */
  const reserving = async <T>(
    identifiers: readonly Identifier[],
    userId: string,
    origin: Origin,
    work: () => Promise<T>,
  ): Promise<T> => {
    const [first, ...others] = identifiers
    if (!first) return work()
    const reservationId = await reservations.reserve(first, userId, origin)
    try {
      return await reserving(others, userId, origin, work)
    } catch (error) {
      // Where nobody knows the outcome, the user may have it by now.
      const isRefused = error instanceof Rejection && error.code !== 'event_store_unavailable'
      if (isRefused) await reservations.release(first, userId, reservationId, origin)
      throw error
    }
  }

  return {
    find,

    register: async ({ userName, name, email, roles, password }, key, origin) => {
      const userId = uuidV5(key, namespace)
      const commandId = uuidV5(`register ${key}`, namespace)
      const registration = { userName, name, email, roles }
      // Keyed by what is stored nowhere, and without the password.
      const requestHash = createHmac('sha256', key).update(JSON.stringify(registration)).digest('hex')
      const request = { id: userId, commandId, requestHash }
      if (await commands.recorded(request)) return userId
      const by = { ...origin, actor: userId }
      await reserving([{ userName }, { email }], userId, by, async () => {
        // Before the event: from then on the user can sign in.
        await credentials.set(userId, password)
        const command: UserCommand = { type: 'RegisterUser', data: { ...registration, userId, at: now() } }
        try {
          await commands.handle({ ...by, ...request, command })
        } catch (error) {
          if (error instanceof Rejection && error.code === 'registration_abandoned') await credentials.remove(userId)
          throw error
        }
      })
      return userId
    },

    authenticate: async (userName, password, wrong) => {
      const holder = await reservations.holderOf({ userName })
      const found = await find(holder?.userId ?? nobodysId)
      const theirs = found?.userName === userName ? found : undefined
      if (await credentials.isRight(theirs?.userId, password)) return theirs
      if (theirs) wrong?.(theirs)
      return undefined
    },

    changeEmail: async (userId, email, origin) => {
      const { state, revision } = await read(userId)
      const command: UserCommand = { type: 'ChangeEmail', data: { userId, email, at: now() } }
      if (state.status !== 'active' || state.email === email) {
        await send(command, origin)
        return
      }
      const former = { email: state.email }
      // Only while nothing has happened to the user since: whoever took the reservation away would have written that there.
      await reserving([{ email }], userId, origin, () => send(command, origin, revision))
      const held = await reservations.holderOf(former)
      if (held?.userId === userId) await reservations.release(former, userId, held.reservationId, origin)
    },

    changePassword: async (userId, password, origin) => {
      // What is written down has happened: an interruption in between leaves a changed password, never a claim of one.
      await credentials.set(userId, password)
      await send({ type: 'ChangePassword', data: { userId, at: now() } }, origin)
    },

    disable: (userId, origin) =>
      send({ type: 'DisableUser', data: { userId, disabledBy: origin.actor, at: now() } }, origin),
  }
}
