// What has happened between a patient and one grantee, from the patient's events, for the patient.
import { type ConsentHistory, consentApi } from '@headwater/deciders/consent/api'
import { granteeKey, granteeOf, type PatientEvent } from '@headwater/deciders/consent/patient-events'
import { patientStream } from '@headwater/deciders/consent/streams'
import { type EventStore, StreamDeleted } from '@headwater/eventstore/client/client'
import { createCodec, type RecordedEvent } from '@headwater/eventstore/codec'
import { readPage } from '@headwater/eventstore/commands/known-stream'
import { streamName } from '@headwater/eventstore/stream-name'
import { Problem } from '@headwater/http-kit/commands/problem'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { consentById } from '@headwater/read-models/consent/consents'
import { named, type People } from '../people.ts'
import { findCurrent, type Rows } from '../read-after.ts'
import { namedGranteeId, ownConsents } from './seen-consent.ts'

const pageEvents = 500
/** Of the patient's, whoever they are about. */
const eventsReadMax = 20_000

const consentNotFound = () => new Problem(404, 'consent_not_found', 'There is no such consent.')

const codec = createCodec(patientStream)

/** Only events about a grantee come here. */
const asSeen = ({ type, recordedAt, data }: RecordedEvent<PatientEvent>) =>
  ({ type, recordedAt: recordedAt.toISOString(), data }) as ConsentHistory['events'][number]

export const registerConsentHistory = (
  server: HttpServer,
  {
    store,
    people,
    ...consents
  }: Rows & {
    readonly store: Pick<EventStore, 'readStream'>
    readonly people: Pick<People, 'namesOf'>
  },
): void => {
  registerQuery(server, 'consent', consentApi.queries.history, async ({ params, allowed }, reply) => {
    const own = ownConsents('consents', allowed)
    const row = await findCurrent(consents, 'consent', (db) =>
      db
        .rows(consentById(params.id))
        // Another person's is answered as if there were none.
        .find(({ patientId }) => own.list !== 'granted' && patientId === own.patientId),
    )
    if (!row) throw consentNotFound()
    const grantee = { kind: row.granteeKind, id: row.granteeId }
    const events: RecordedEvent<PatientEvent>[] = []
    let read = 0
    let complete = false
    while (!complete && read < eventsReadMax) {
      const page = await readPage(store, streamName('patient', row.patientId), BigInt(read), pageEvents).catch(
        (error) => {
          throw error instanceof StreamDeleted ? consentNotFound() : error
        },
      )
      for (const event of codec.decodeAll(page)) {
        const other = granteeOf(event)
        if (other && granteeKey(other) === granteeKey(grantee)) events.push(event)
      }
      read += page.length
      complete = page.length < pageEvents
    }
    reply.header('cache-control', 'no-store')
    const id = namedGranteeId(row)
    const names = named(await people.namesOf([id]), 'granteeName', id)
    return { grantee, ...names, events: events.map(asSeen), complete }
  })
}
