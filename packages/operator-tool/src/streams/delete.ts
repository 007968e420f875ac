// `streams delete`: tombstones a stream for good, after which every projection removes its rows.
import { contexts } from '@headwater/deciders/contexts'
import { noSuchStream, StreamDeleted } from '@headwater/eventstore/client/client'
import { categoryOf, idOf, snapshotStreamOf } from '@headwater/eventstore/stream-name'
import type { Answer, Command, Context, Given } from '../command.ts'
import { Refusal, WrongUse } from '../refusal.ts'

/** Consequences of a deletion by category. Streams of other categories are shared, or would lock a person out for good. */
const consequences: Readonly<Record<string, string>> = {
  loan: 'Its applicant can apply again.',
  patient: 'All consents end, and none can be given again under this id.',
  user: 'The user name and the e-mail address can be used again.',
}

const hasSnapshots = (category: string): boolean =>
  contexts.some(({ streams }) => streams.some((type) => type.category === category && type.snapshot !== undefined))

const assertDeletable = (stream: string): void => {
  const category = categoryOf(stream)
  if (Object.hasOwn(consequences, category) && idOf(stream) !== '') return
  const names = Object.keys(consequences).map((name) => `${name}-<id>`)
  throw new Refusal(`Only these streams can be deleted: ${names.join(', ')}.`)
}

/** Sessions of an active account would outlive it. */
const assertDisabled = async ({ store }: Context, stream: string): Promise<void> => {
  const eventsMax = 10_000
  const events = await store.readStream(stream, 0n, eventsMax)
  if (events === noSuchStream || events.some(({ type }) => ['UserDisabled', 'RegistrationAbandoned'].includes(type)))
    return
  throw new Refusal(
    `The account is open: disable it first, POST /api/users/${idOf(stream)}/disable, which signs it out everywhere.`,
  )
}

/** Deletes the user's rows in Postgres, also those of another issuer's people. */
const forgetUser = async ({ pool }: Context, userId: string): Promise<void> => {
  await pool.query('delete from headwater.credentials where user_id::text = $1', [userId])
  await pool.query('delete from headwater.people where sub = $1', [userId])
}

const deleteStream = async (context: Context, given: Given): Promise<Answer> => {
  const { store, writeDown } = context
  const [stream = ''] = given.positionals
  assertDeletable(stream)
  const category = categoryOf(stream)
  let isThere = false
  try {
    isThere = (await store.readStream(stream, 0n, 1)) !== noSuchStream
    if (category === 'user') await assertDisabled(context, stream)
  } catch (error) {
    if (error instanceof StreamDeleted) throw new Refusal(`${stream} is deleted already.`)
    throw error
  }
  if (!given.flag('yes')) throw new WrongUse(`This cannot be undone. Say --yes to delete ${stream}.`)
  if (category === 'user') await forgetUser(context, idOf(stream))
  // First, and also when there is none yet: a service may be about to write one.
  if (hasSnapshots(category)) await store.tombstone(snapshotStreamOf(stream), isThere)
  if (!(await store.tombstone(stream))) throw new Refusal(`There is no stream ${stream}.`)
  await writeDown({ what: `streams delete ${category}-:id`, resource: idOf(stream) })
  return {
    json: { stream, deleted: true },
    text:
      `${stream} is deleted. Read models remove its rows when they come to that. ${consequences[category]}\n` +
      "Its events leave the event store's files with the next scavenge, and backups when those are deleted.",
  }
}

export const deleteCommands: readonly Command[] = [
  {
    name: ['streams', 'delete'],
    summary: 'deletes a loan, a patient or a user for good',
    positionals: ['<stream>'],
    options: { yes: { type: 'boolean', help: 'needed: it cannot be undone' } },
    more: 'The id cannot be used again. The audit trail keeps what was done and by whom, which names no applicant.',
    run: deleteStream,
  },
]
