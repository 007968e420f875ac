// The configured users, with their passwords as scrypt hashes.
import { createHash, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** `groups` are EventStoreDB's, such as `$admins` and `$ops`, or any other names in access lists. */
export type UserSetting = {
  readonly name: string
  readonly groups?: readonly string[]
  readonly password?: string
  /** Instead of `password`; made by `hashPassword`. */
  readonly passwordHash?: string
}
export type User = { readonly name: string; readonly groups: readonly string[] }

const hashBytes = 32
const saltBytes = 16
/** Uses 128 * N * r bytes, 32 MiB. */
const cost: ScryptOptions = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const hashForm = /^scrypt-32768-8-1\$([\w-]{22})\$([\w-]{43})$/

/** Limit of concurrent password checks; more are refused. */
const checksMax = 64
/** Limit of cached sign-ins: each call sends its credentials again. */
const rememberedMax = 1_000

const derive = (password: string, salt: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    scrypt(password, salt, hashBytes, cost, (error, key) => (error ? reject(error) : resolve(key))),
  )

/** @returns the `passwordHash` for a users file */
export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(saltBytes)
  const hash = await derive(password, salt)
  return `scrypt-32768-8-1$${salt.toString('base64url')}$${hash.toString('base64url')}`
}

const isPassword = async (password: string, passwordHash: string): Promise<boolean> => {
  const [, salt = '', hash = ''] = hashForm.exec(passwordHash) ?? []
  const derived = await derive(password, Buffer.from(salt, 'base64url'))
  return timingSafeEqual(derived, Buffer.from(hash, 'base64url'))
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

// Errors omit the value: it may be a password.
const checkedUser = (value: unknown, where: string): UserSetting => {
  const { name, groups = [], password, passwordHash, ...unknown } = (value ?? {}) as Record<string, unknown>
  if (!isText(name) || name.includes(':')) throw new Error(`${where}: every user has a name, without ":".`)
  const [extra] = Object.keys(unknown)
  if (extra !== undefined) throw new Error(`${where}: user "${name}" has "${extra}", which is unknown.`)
  if (!Array.isArray(groups) || !groups.every(isText)) {
    throw new Error(`${where}: the groups of user "${name}" are a list of names.`)
  }
  if (isText(password) === isText(passwordHash)) {
    throw new Error(`${where}: user "${name}" has either a password or a passwordHash.`)
  }
  if (isText(passwordHash) && !hashForm.test(passwordHash)) {
    throw new Error(`${where}: the passwordHash of user "${name}" is none. Make one with the command hash-password.`)
  }
  return { name, groups, ...(isText(password) ? { password } : { passwordHash: String(passwordHash) }) }
}

const checkedUsers = (value: unknown, where: string): UserSetting[] => {
  if (!Array.isArray(value) || value.length === 0) {
    throw new Error(
      `${where} holds a list of users: [{ "name": ..., "password" or "passwordHash": ..., "groups": [...] }].`,
    )
  }
  const users = value.map((each) => checkedUser(each, where))
  const names = users.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`${where}: user "${twice}" is there twice.`)
  return users
}

/** @param where the JSON comes from, for errors, which never quote it */
export const parseUsers = (json: string, where: string): UserSetting[] => {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new Error(`${where} is not JSON.`)
  }
  return checkedUsers(value, where)
}

/** The file must hold hashes only: others may read it, and it is backed up. */
export const readUsersFile = (file: string): UserSetting[] => {
  let json: string
  try {
    json = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`The users file cannot be read: ${error instanceof Error ? error.message : error}`)
  }
  const users = parseUsers(json, file)
  const plain = users.find(({ password }) => password !== undefined)
  if (plain) {
    throw new Error(
      `${file}: user "${plain.name}" has a password; in a file it is a passwordHash (command hash-password).`,
    )
  }
  return users
}

export class TooManySignIns extends Error {}

/** Undefined for a wrong name or password. @throws TooManySignIns */
export type SignIn = (authorization: string) => Promise<User | undefined>

const credentialsOf = (authorization: string): { name: string; password: string } | undefined => {
  const encoded = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(authorization)?.[1]
  const text = encoded && Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text ? text.indexOf(':') : -1
  return text && colon > 0 ? { name: text.slice(0, colon), password: text.slice(colon + 1) } : undefined
}

export const createSignIn = async (settings: readonly UserSetting[]): Promise<SignIn> => {
  const hashed = checkedUsers(settings, 'users').map(async ({ name, groups = [], password = '', passwordHash }) => ({
    name,
    groups,
    passwordHash: passwordHash ?? (await hashPassword(password)),
  }))
  const users = new Map((await Promise.all(hashed)).map((user) => [user.name, user]))
  // Checked for unknown names, so that a wrong name takes as long as a wrong password.
  const dummyHash = await hashPassword(randomBytes(saltBytes).toString('hex'))
  const known = new Map<string, Promise<User | undefined>>()
  let checks = 0

  const check = async (authorization: string): Promise<User | undefined> => {
    const credentials = credentialsOf(authorization)
    if (!credentials) return undefined
    if (checks >= checksMax) throw new TooManySignIns('Too many passwords are being checked; try again.')
    checks++
    try {
      const found = users.get(credentials.name)
      const right = await isPassword(credentials.password, found?.passwordHash ?? dummyHash)
      return found && right ? { name: found.name, groups: found.groups } : undefined
    } finally {
      checks--
    }
  }

  return (authorization) => {
    // Hashed, so that passwords are not kept in memory.
    const key = createHash('sha256').update(authorization).digest('base64')
    const before = known.get(key)
    if (before) return before
    const checked = check(authorization)
    known.set(key, checked)
    const forget = (): boolean => known.delete(key)
    checked.then((user) => user || forget(), forget)
    if (known.size > rememberedMax) known.delete(known.keys().next().value ?? '')
    return checked
  }
}
