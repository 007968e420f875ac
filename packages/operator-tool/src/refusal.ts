// What the tool says when it does not do what it was asked, and whose fault that is.
import { Rejection } from '@headwater/deciders/decider'
import { StoreUnavailable } from '@headwater/eventstore/client/client'
import Database from 'better-sqlite3'
import pg from 'pg'
import type { Settings } from './settings.ts'

/** It cannot or must not be done; the message says why, and what to do instead. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** It was not asked as it has to be. */
export class WrongUse extends Error {
  override readonly name = 'WrongUse'
}

/** What the event store's client puts behind its messages. */
const emptyNote = /\. Resolution note: $/

/** The reason at the bottom of an error. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof StoreUnavailable) return reasonOf(error.cause)
  // Of a name with several addresses, each of which refuses.
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  if (error instanceof Error) return error.message.replace(emptyNote, '') || error.name
  return String(error)
}

/** Without its user and password. */
export const shownUrl = (url: string): string => url.replace(/\/\/[^@/]*@/, '//')

const postgresNetwork =
  /^(ECONN|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT|EAI_AGAIN)|timeout exceeded|Connection terminated/

const isOfPostgres = (error: unknown): boolean =>
  error instanceof pg.DatabaseError ||
  (error instanceof AggregateError && isOfPostgres(error.errors[0])) ||
  (error instanceof Error && postgresNetwork.test(`${'code' in error ? error.code : ''} ${error.message}`.trim()))

/** Which part of the system an error is of, in a sentence that names the setting to look at. */
export const troubleOf = (error: unknown, settings: Settings): string => {
  const why = reasonOf(error)
  if (error instanceof StoreUnavailable)
    return `The event store ${shownUrl(settings.EVENTSTORE_URL)} (EVENTSTORE_URL) does not answer: ${why}`
  if (isOfPostgres(error)) return `Postgres at ${shownUrl(settings.DATABASE_URL)} (DATABASE_URL): ${why}`
  if (error instanceof Database.SqliteError) return `A file in ${settings.EDGE_DIRECTORY} (EDGE_DIRECTORY): ${why}`
  if (error instanceof Rejection || error instanceof Refusal || error instanceof WrongUse) return why
  return error instanceof Error && error.stack ? error.stack : why
}
