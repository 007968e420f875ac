// What was stored stays readable: an event of every shape of every type is kept as it was, and all of them lead where they led.
import { patient } from '@headwater/deciders/consent/patient'
import { patientEvents } from '@headwater/deciders/consent/patient-events'
import { contexts } from '@headwater/deciders/contexts'
import { type Decider, type DomainEvent, fold } from '@headwater/deciders/decider'
import type { EventTypes } from '@headwater/deciders/event-types'
import { reservation, reservationEvents } from '@headwater/deciders/identity/reservation'
import { user } from '@headwater/deciders/identity/user'
import { userEvents } from '@headwater/deciders/identity/user-events'
import { entriesOf } from '@headwater/deciders/keyed'
import { applicant, applicantEvents } from '@headwater/deciders/loan/applicant'
import { loan } from '@headwater/deciders/loan/loan'
import { loanEvents } from '@headwater/deciders/loan/loan-events'
import type { StreamType } from '@headwater/deciders/stream-type'
import { createCodec, type StoredEvent } from '@headwater/eventstore/codec'
import { beginning } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'
import { reactionsOf } from '@headwater/jobs/reactions'
import type { Projection } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'
import { stepOver } from '@headwater/projections/model/step'
import { expect, test } from 'vitest'
import { eventTypes, projections, recordedFiles, recordedStreams } from '../recorded.ts'

const reactions = reactionsOf(contexts)

/** The shape that is written, and the older ones. */
const versionsOf = ({ upcasts }: EventTypes, type: string): readonly number[] => {
  const { to = 1, from = {} } = upcasts[type] ?? {}
  const others = Object.keys(from).map(Number)
  return [to, ...others.filter((version) => version < to)]
}

test('every shape of every type that is read has a recorded event, and nothing else has', () => {
  const read = eventTypes.flatMap(([context, types]) =>
    Object.keys(types.schemas).flatMap((type) =>
      versionsOf(types, type).map((version) => `${context}/${type}.${version}.json`),
    ),
  )
  expect(recordedFiles.map(({ name }) => name).sort()).toEqual(read.sort())
})

type Schema = { readonly safeParse: (data: unknown) => { readonly error?: unknown } }

test.each(recordedFiles)('$name: as it is read today it has today’s shape', ({ context, type, version, events }) => {
  const types = eventTypes.find(([of, { schemas }]) => of === context && type in schemas)?.[1]
  if (!types) throw new Error(`The context ${context} has no type ${type}.`)
  const schema = types.schemas[type] as Schema
  const { decode } = createCodec({ events: types })
  expect(events.length).toBeGreaterThan(0)
  for (const event of events) {
    expect(event).toMatchObject({ type, metadata: { schema: version } })
    expect(schema.safeParse(decode(event).data).error).toBeUndefined()
  }
})

// When it fails and the recorded streams are the same: the snapshots in the stores are of another shape or meaning. Raise
// the version of the snapshot, and keep the file of the older one.
const snapshotTypes = contexts.flatMap(({ streams }) =>
  (streams as readonly StreamType<never, DomainEvent, unknown>[]).flatMap(({ category, events, decider, snapshot }) =>
    snapshot ? [{ category, events, decider, snapshot, version: snapshot.version }] : [],
  ),
)
test.each(snapshotTypes)('snapshots of $category in version $version are as they were recorded', async (type) => {
  const { category, events, decider, snapshot, version } = type
  const { decode } = createCodec({ events })
  const encoded = [...recordedStreams]
    .filter(([stream]) => categoryOf(stream) === category)
    .map(([stream, stored]) => {
      const state = fold(decider, decider.initialState, stored.map(decode))
      const snapshotted = JSON.parse(JSON.stringify(snapshot.encode(state)))
      expect(snapshot.decode(snapshotted as never)).toEqual(state)
      return [stream, snapshotted]
    })
  const file = `../../packages/deciders/recorded-snapshots/${category}.${version}.json`
  await expect(`${JSON.stringify(Object.fromEntries(encoded), null, 2)}\n`).toMatchFileSnapshot(file)
})

test.each([...recordedStreams])('%s is whole', (_stream, events) => {
  expect(events.map(({ revision }) => Number(revision))).toEqual([...events.keys()])
})

/** What the decider makes of a stream. */
const foldedBy =
  <Event extends DomainEvent, State>(
    { initialState, evolve }: Decider<never, Event, State>,
    types: EventTypes<Event['type']>,
    shown: (state: State) => unknown = (state) => state,
  ) =>
  (events: readonly StoredEvent[]): unknown =>
    shown(fold({ evolve }, initialState, events.map(createCodec<Event>({ events: types }).decode)))

const reserved = foldedBy(reservation, reservationEvents)
const deciders: Readonly<Record<string, (events: readonly StoredEvent[]) => unknown>> = {
  loan: foldedBy(loan, loanEvents),
  applicant: foldedBy(applicant, applicantEvents),
  patient: foldedBy(patient, patientEvents, ({ grantees, ...state }) => ({ ...state, grantees: entriesOf(grantees) })),
  user: foldedBy(user, userEvents),
  username: reserved,
  email: reserved,
}
/** Nobody decides on them. */
const undecided = ['audit']

const rowsOf = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Tables>,
): readonly string[] => {
  const events = [...recordedStreams]
    .filter(([stream]) => projection.categories.includes(categoryOf(stream)))
    .flatMap(([, events]) => events)
  const from = {
    position: beginning,
    lastEvent: undefined,
    storeId: 'recorded',
    build: '',
    epoch: 1n,
    deadLetters: [],
    replacedTexts: 0,
  }
  const { evolve } = stepOver(projection, from, { events, position: beginning })
  return evolve(new Map()).map(({ table, after }) => `${projection.name}.${table} ${JSON.stringify(after)}`)
}

// When something leads elsewhere on purpose: `npm test -- recorded-events -u`, and each changed line is looked at.
test('folded, projected and reacted to, they lead where they led', async () => {
  const states = [...recordedStreams].flatMap(([stream, events]) => {
    const category = categoryOf(stream)
    if (undecided.includes(category)) return []
    const state = deciders[category]
    if (!state) throw new Error(`It is not said here which decider has the category ${category}.`)
    return [`${stream} ${JSON.stringify(state(events))}`]
  })
  const rows = [...projections.flatMap(rowsOf), ...rowsOf(reactions)]
  await expect(`${[...states, ...rows].sort().join('\n')}\n`).toMatchFileSnapshot('recorded-outcome.txt')
})
