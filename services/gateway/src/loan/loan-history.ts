// What has happened to one loan, from its events, for underwriters.
import { loanApi } from '@headwater/deciders/loan/api'
import { loanNotFound } from '@headwater/deciders/loan/loan'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { loanStream } from '@headwater/deciders/loan/streams'
import type { EventStore } from '@headwater/eventstore/client/client'
import { createCodec, type RecordedEvent } from '@headwater/eventstore/codec'
import { formatPosition } from '@headwater/eventstore/position'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { type Names, named, type People } from '../people.ts'
import { historyTooLong, readLoanEvents } from './loan-past.ts'
import { masked } from './sight.ts'

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
  registerQuery(
    server,
    'loan',
    loanApi.queries.history,
    async ({ params }, reply) => {
      const { events: stored, complete } = await readLoanEvents(store, params.id)
      const events = codec.decodeAll(stored)
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
    { look: { loan: 'history' } },
  )
}
