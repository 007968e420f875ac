// `replay`: a read model of the edge as it was at a moment, in a file of its own, for whoever has to answer what was shown.
import path from 'node:path'
import { formatPosition, parsePosition } from '@headwater/eventstore/position'
import { type ReplayEnd, type ReplayProgress, replayUntil } from '@headwater/projections/run/replay'
import { consents } from '@headwater/read-models/consent/consents'
import { loans } from '@headwater/read-models/loan/loans'
import { z } from 'zod'
import type { Answer, Command, Context, Given } from '../command.ts'
import { Refusal, WrongUse } from '../refusal.ts'
import { didYouMean } from '../suggest.ts'
import { count } from '../text.ts'

type Asked = Pick<Parameters<typeof replayUntil>[0], 'store' | 'file' | 'until'> & {
  readonly onProgress: (progress: ReplayProgress) => void
  readonly signal: AbortSignal
}

/** Each with its own events and tables. */
const replays: Readonly<Record<string, (asked: Asked) => Promise<ReplayProgress>>> = {
  loans: (asked) => replayUntil({ ...asked, projection: loans }),
  consents: (asked) => replayUntil({ ...asked, projection: consents }),
}
const interruptedCode = 130

const moment = z.iso.datetime({ offset: true })

const endOf = (text: string | undefined): ReplayEnd => {
  const position = text === undefined ? undefined : parsePosition(text)
  if (position) return { position }
  if (text !== undefined && moment.safeParse(text).success) return { moment: new Date(text) }
  throw new WrongUse('Say where it ends: --until 2026-11-25T10:00:00Z, or --until 4711/4711, a position.')
}

const replay = async ({ store, writeDown, progress, signal }: Context, given: Given): Promise<Answer> => {
  const [name = ''] = given.positionals
  const run = replays[name]
  if (!run) throw new Refusal(`${name} is no read model of the edge.${didYouMean(name, Object.keys(replays))}`)
  const until = endOf(given.text('until'))
  const to = given.text('to')
  if (to === undefined) throw new WrongUse('Say where the rows go: --to <file>.')
  const file = path.resolve(to)
  const onProgress = ({ events, position }: ReplayProgress) =>
    progress.say(`${name}: ${count(events, 'event')}, up to ${formatPosition(position)}`)
  // It holds what people were shown: whoever makes it is written down first.
  await writeDown({ what: `replay ${name}` })
  try {
    const { events, position, parkedStreams } = await run({ store, file, until, onProgress, signal })
    progress.end()
    const parked = parkedStreams === 0 ? '' : ` Of ${count(parkedStreams, 'stream')} an event could not be taken in.`
    return {
      json: { name, file, events, position: formatPosition(position), parkedStreams },
      text: `${file}: ${name} from ${count(events, 'event')}, up to ${formatPosition(position)}.${parked} It holds personal data: its owner alone may read it.`,
    }
  } catch (error) {
    progress.end()
    if (!signal.aborted)
      throw error instanceof Error && error.message.includes(file) ? new Refusal(error.message) : error
    return { json: { name, outcome: 'ended' }, text: 'Ended; nothing is left of it.', exitCode: interruptedCode }
  }
}

export const replayCommands: readonly Command[] = [
  {
    name: ['replay'],
    summary: 'builds a read model of the edge as it was at a moment, in a file of its own',
    positionals: ['<model>'],
    options: {
      until: {
        type: 'string',
        value: '<moment or position>',
        help: "where it ends; a moment is by the event store's clock",
      },
      to: { type: 'string', value: '<file>', help: 'where the rows go; it must not be there yet' },
    },
    more: 'What is running is not touched. The file is there when all of it is.',
    run: replay,
  },
]
