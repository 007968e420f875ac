// What cookies and links hold, and what is kept of it.
import { randomBytes } from 'node:crypto'
import { createSealing, hashOf, type Sealing } from '@headwater/http-kit/access/sealing'

const secretBytes = 32
const secretText = /^[\w-]{43}$/

/** What a cookie or a link holds: nobody guesses it. */
export const newSecret = (): string => randomBytes(secretBytes).toString('base64url')

/** What is kept of a secret; undefined for what is none of ours. */
export const keyOfSecret = (secret: string | undefined): string | undefined =>
  secret !== undefined && secretText.test(secret) ? hashOf(secret) : undefined

/** For sessions, and for what a browser keeps while somebody signs in. */
export const sealingOfSessions = (sessionKey: string): Sealing => createSealing(sessionKey, 'headwater-sessions')
