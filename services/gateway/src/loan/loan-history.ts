// What has happened to one loan, from its events, for underwriters.
import { uuid } from '@headwater/deciders/fields'
import { loanNotFound } from '@headwater/deciders/loan/loan'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { loanQueryRules } from '@headwater/deciders/loan/loan-policy'
import { loanStream } from '@headwater/deciders/loan/streams'
import type { EventStore } from '@headwater/eventstore/client/client'
import { createCodec, type RecordedEvent } from '@headwater/eventstore/codec'
import { formatPosition } from '@headwater/eventstore/position'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import { problemAnswer } from '../answers.ts'
import { type Names, named, type People } from '../people.ts'
import { historyTooLong, readLoanEvents } from './loan-past.ts'
import { masked } from './sight.ts'

const types = Object.keys(loanStream.events.schemas) as [LoanEvent['type'], ...LoanEvent['type'][]]

const loanHistory = z.object({
  events: z.array(
    z
      .object({
        type: z.enum(types),
        revision: z.int(),
        recordedAt: z.iso.datetime(),
        actor: z.string().nullable().meta({ description: 'Who caused it.' }),
        actorName: z.string().optional().meta({ description: 'What they are called, where that is known.' }),
        data: z.record(z.string(), z.unknown()).meta({ description: 'The event, the national id masked.' }),
      })
      .meta({ id: 'LoanHistoryEvent' }),
  ),
})

const codec = createCodec(loanStream)

const actorOf = ({ metadata }: RecordedEvent<LoanEvent>): string | null =>
  typeof metadata.actor === 'string' ? metadata.actor : null

const asSeen = (event: RecordedEvent<LoanEvent>, names: Names) => {
  const { type, revision, recordedAt, data } = event
  return {
    type,
    revision: Number(revision),
    recordedAt: recordedAt.toISOString(),
    actor: actorOf(event),
    ...named(names, 'actorName', actorOf(event)),
    data: { ...data, ...('nationalId' in data ? { nationalId: masked(data.nationalId) } : {}) },
  }
}

export const registerLoanHistory = (
  server: HttpServer,
  { store, people }: { readonly store: Pick<EventStore, 'readStream'>; readonly people: Pick<People, 'namesOf'> },
): void => {
  server.get(
    '/api/loans/:id/history',
    {
      config: { rules: loanQueryRules.history, look: { loan: 'history' } },
      schema: {
        tags: ['loan'],
        summary: 'What has happened to a loan, event by event',
        description: 'Read from the event store itself: always current.',
        params: z.object({ id: uuid }),
        querystring: z.strictObject({}),
        response: {
          200: loanHistory,
          401: problemAnswer('Nobody is signed in.'),
          403: problemAnswer('Whoever is signed in is no underwriter.'),
          404: problemAnswer('There is no such loan.'),
          422: problemAnswer('It has more events than can be read at once.'),
        },
      },
    },
    async ({ params }, reply) => {
      const { events: stored, complete } = await readLoanEvents(store, params.id)
      const events = stored.map(codec.decode)
      const last = events.at(-1)
      if (!last) throw loanNotFound()
      if (!complete) throw historyTooLong()
      reply.headers({
        'cache-control': 'no-store',
        'headwater-position': formatPosition(last.position),
        etag: `"${last.revision}"`,
      })
      const names = await people.namesOf(events.map(actorOf))
      return { events: events.map((event) => asSeen(event, names)) }
    },
  )
}
