// What people are called: kept when they sign in, looked up for those who see what they did. Events and logs hold ids only.
import type { Logger } from '@headwater/http-kit/telemetry'
import type { Person, SessionDatabase } from './auth/sessions.ts'

/** Names are not worth a longer wait: whoever asks is shown ids then. */
const lookUpTimeoutMs = 500

export type Names = ReadonlyMap<string, string>

export type People = {
  /** What the issuer says now replaces what it said before. @throws Problem 503 */
  readonly keep: (person: Person) => Promise<void>
  /** Of those that are known, by id; of nobody while Postgres does not answer. */
  readonly namesOf: (subs: readonly (string | null)[]) => Promise<Names>
}

const nobody: Names = new Map()

export const createPeople = ({ asking }: Pick<SessionDatabase, 'asking'>, logger: Logger): People => ({
  keep: async ({ sub, name }) => {
    if (name === undefined) return
    await asking((pool) =>
      pool.query(
        `insert into headwater.people (sub, name) values ($1, $2)
         on conflict (sub) do update set name = excluded.name, seen_at = now()`,
        [sub, name],
      ),
    )
  },
  namesOf: async (subs) => {
    const asked = [...new Set(subs.filter((sub) => sub !== null))]
    if (asked.length === 0) return nobody
    const found = asking(async (pool): Promise<Names> => {
      const text = 'select sub, name from headwater.people where sub = any($1)'
      const { rows } = await pool.query<{ sub: string; name: string }>(text, [asked])
      return new Map(rows.map(({ sub, name }) => [sub, name]))
    }).catch((error: unknown) => {
      logger.warn({ err: error }, 'names of people cannot be looked up')
      return nobody
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<Names>((resolve) => {
      timer = setTimeout(() => resolve(nobody), lookUpTimeoutMs)
    })
    return Promise.race([found, late]).finally(() => clearTimeout(timer))
  },
})

/** The field with the name of `sub`, where it is known. */
export const named = <Field extends string>(names: Names, field: Field, sub: string | null) => {
  const name = sub === null ? undefined : names.get(sub)
  return (name === undefined ? {} : { [field]: name }) as { readonly [Name in Field]?: string }
}
