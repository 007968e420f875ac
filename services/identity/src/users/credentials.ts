// Passwords: kept as argon2id hashes in Postgres, and nowhere else. Checking one takes the same time for users that do not exist.
import { randomBytes } from 'node:crypto'
import { inOneForm } from '@headwater/deciders/fields'
import { hash, verify } from '@node-rs/argon2'
import type { Pool } from 'pg'

/** OWASP's for argon2id, which is the library's default; about 10 ms of one core. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

export type Credentials = {
  readonly set: (userId: string, password: string) => Promise<void>
  /** @param userId undefined where nobody has the name that was typed */
  readonly isRight: (userId: string | undefined, password: string) => Promise<boolean>
  readonly remove: (userId: string) => Promise<void>
}

export const openCredentials = async (pool: Pool): Promise<Credentials> => {
  const nobodys = await hash(randomBytes(32).toString('hex'), cost)
  return {
    set: async (userId, password) => {
      await pool.query(
        `insert into headwater.credentials (user_id, password_hash) values ($1, $2)
         on conflict (user_id) do update set password_hash = excluded.password_hash, changed_at = now()`,
        [userId, await hash(inOneForm(password), cost)],
      )
    },
    isRight: async (userId, password) => {
      const { rows } = await pool.query<{ password_hash: string }>(
        'select password_hash from headwater.credentials where user_id = $1',
        [userId ?? null],
      )
      const [row] = rows
      const kept = row?.password_hash ?? nobodys
      if (await verify(kept, inOneForm(password))) return row !== undefined
      // Earlier releases hashed passwords as typed: such a hash is replaced.
      if (password === inOneForm(password) || !(await verify(kept, password))) return false
      await pool.query(
        'update headwater.credentials set password_hash = $3 where user_id = $1 and password_hash = $2',
        [userId ?? null, kept, await hash(inOneForm(password), cost)],
      )
      return row !== undefined
    },
    remove: async (userId) => {
      await pool.query('delete from headwater.credentials where user_id = $1', [userId])
    },
  }
}
