// Names and roles of people: stored at sign-in, shown beside what they did, and served to services that ask whether a person
// exists. Events and logs hold IDs only.
import { personKey } from '@headwater/deciders/fields'
import type { KnownPerson } from '@headwater/http-kit/server/people-server'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { Person, SessionDatabase } from './auth/sign-in/sessions.ts'

/** Names are not worth a longer wait: whoever asks is shown ids then. */
const lookUpTimeoutMs = 500

/** By the key of a person. */
export type Names = ReadonlyMap<string, string>

export type People = {
  /** What the issuer says now replaces what it said before. @throws Problem 503 */
  readonly keep: (person: Person & { readonly roles: readonly string[] }) => Promise<void>
  /** Those who have signed in, with the roles they had when they last did. @throws Problem 503 */
  readonly find: (id: string) => Promise<KnownPerson | undefined>
  /** Of those that are known, by id; of nobody while Postgres does not answer. */
  readonly namesOf: (subs: readonly (string | null)[]) => Promise<Names>
}

const nobody: Names = new Map()

export const createPeople = ({ asking }: Pick<SessionDatabase, 'asking'>, logger: Logger): People => ({
  keep: async ({ sub, name, roles }) => {
    await asking((pool) =>
      pool.query(
        `insert into headwater.people (sub, name, roles) values ($1, $2, $3)
         on conflict (sub) do update
         set name = coalesce(excluded.name, people.name), roles = excluded.roles, seen_at = now()`,
        [personKey(sub), name ?? null, roles],
      ),
    )
  },
  find: async (id) =>
    asking(async (pool) => {
      const text = 'select roles from headwater.people where sub = $1'
      const [person] = (await pool.query<{ roles: string[] | null }>(text, [personKey(id)])).rows
      // A person who has not signed in since roles are stored exists and may be asked, but is not known to be a doctor.
      return person && { roles: person.roles ?? [] }
    }),
  namesOf: async (subs) => {
    const asked = [...new Set(subs.flatMap((sub) => (sub === null ? [] : [personKey(sub)])))]
    if (asked.length === 0) return nobody
    const found = asking(async (pool): Promise<Names> => {
      const text = 'select sub, name from headwater.people where sub = any($1) and name is not null'
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

export const nameOf = (names: Names, sub: string | null): string | undefined =>
  sub === null ? undefined : names.get(personKey(sub))

/** The field with the name of `sub`, where it is known. */
export const named = <Field extends string>(names: Names, field: Field, sub: string | null) => {
  const name = nameOf(names, sub)
  return (name === undefined ? {} : { [field]: name }) as { readonly [Name in Field]?: string }
}
