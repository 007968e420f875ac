// `doctor`: checks every part that Headwater stands on, and says of each what is wrong and what mends it.
import type { Answer, Command, Context } from '../command.ts'
import { reasonOf } from '../refusal.ts'
import { checkHiddenEvents } from '../streams/hidden-events.ts'
import { count, plain, strong, toned } from '../text.ts'
import { checkEdge, checkFollower, checkIssuer, checkPostgres, checkStore, type Finding, unchecked } from './checks.ts'

const marks = {
  ok: toned('ok    ', 'good'),
  wrong: toned('WRONG ', 'bad'),
  'not checked': toned('-     ', 'quiet'),
} as const

const lineOf = ({ check, state, found, mend }: Finding, width: number): string => {
  const line = `${marks[state]}${strong(check.padEnd(width))}  ${plain(found)}`
  return mend === undefined ? line : `${line}\n${' '.repeat(width + 8)}-> ${mend}`
}

const doctor = async (context: Context): Promise<Answer> => {
  const [store, postgres, issuer] = await Promise.all([
    checkStore(context),
    checkPostgres(context),
    checkIssuer(context),
  ])
  const hidden = store.known
    ? [await checkHiddenEvents(context).catch((error) => unchecked('hidden events', reasonOf(error)))]
    : []
  const edge = checkEdge(context)
  const followers = await Promise.all(
    context.followers.map(async (follower): Promise<readonly Finding[]> => {
      const isReachable = follower.kind === 'SQLite' ? edge.state === 'ok' : postgres.answers
      if (isReachable) return checkFollower(context, store.known, follower)
      return [
        unchecked(follower.name, follower.kind === 'SQLite' ? 'The folder is not right.' : 'Postgres does not answer.'),
      ]
    }),
  )
  const checks = [store.finding, ...hidden, ...postgres.findings, edge, issuer, ...followers.flat()]
  const wrong = checks.filter(({ state }) => state === 'wrong').length
  const width = Math.max(...checks.map(({ check }) => check.length))
  const end = wrong === 0 ? 'All is well.' : `${count(wrong, 'thing is', 'things are')} wrong.`
  return {
    json: { ok: wrong === 0, checks },
    text: [...checks.map((one) => lineOf(one, width)), end].join('\n'),
    exitCode: wrong === 0 ? 0 : 1,
  }
}

export const doctorCommands: readonly Command[] = [
  {
    name: ['doctor'],
    summary: 'checks every part, and says what is wrong and what mends it',
    more: 'It changes nothing, and ends with 1 when something is wrong.',
    run: doctor,
  },
]
