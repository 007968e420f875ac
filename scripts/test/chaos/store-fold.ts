// What the event store holds, read once and folded in the plainest way: without the engine that is under test.

import { evolve as evolvePatient, initialState, type PatientState } from '@headwater/deciders/consent/patient-state'
import { patientStream } from '@headwater/deciders/consent/streams'
import type { DomainEvent } from '@headwater/deciders/decider'
import { applicant } from '@headwater/deciders/loan/applicant'
import { loan } from '@headwater/deciders/loan/loan'
import type { LoanState } from '@headwater/deciders/loan/loan-state'
import { applicantStream, loanStream } from '@headwater/deciders/loan/streams'
import { createCodec, type StoredEvent } from '@headwater/eventstore/codec'
import { beginning, formatPosition, laterPosition, type Position } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'
import type { Projection } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'
import { audit } from '@headwater/read-models/audit/audit'
import { consents } from '@headwater/read-models/consent/consents'
import { loans } from '@headwater/read-models/loan/loans'
import { underwriting } from '@headwater/read-models/loan/underwriting'
import { factOf } from './model.ts'
import type { World } from './world.ts'

const pageEvents = 500

/** What is kept of an event. */
export type Kept = {
  readonly id: string
  readonly fact: string
  readonly revision: number
  readonly position: string
  readonly commandId: string
}

type Rows = ReadonlyMap<string, Row>
export type FoldedModel = {
  readonly projection: Projection<never, never>
  /** By table and key. */
  readonly tables: ReadonlyMap<string, Rows>
}

const foldOf = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Tables>,
) => {
  const tables = new Map(Object.keys(projection.tables).map((name) => [name, new Map<string, Row>()]))
  const rows = Object.fromEntries(
    [...tables].map(([name, kept]) => [
      name,
      {
        get: (key: string) => kept.get(key),
        set: (key: string, row: Row) => void kept.set(key, row),
        remove: (key: string) => void kept.delete(key),
      },
    ]),
  ) as never
  return {
    projection: projection as unknown as FoldedModel['projection'],
    tables,
    take: (event: StoredEvent) => {
      if (projection.categories.includes(categoryOf(event.stream)))
        projection.project(projection.codec.decode(event), rows)
    },
  }
}

export type StoreFold = {
  /** Takes in what is new. */
  readonly readOn: () => Promise<void>
  readonly streams: ReadonlyMap<string, readonly Kept[]>
  /** The position of the last event of these categories. */
  readonly lastOf: (categories: readonly string[]) => Position
  readonly readModels: { readonly [Name in 'loans' | 'consents' | 'underwriting' | 'audit']: FoldedModel }
  /** By id, as the decider has them. */
  readonly loans: ReadonlyMap<string, LoanState>
  readonly patients: ReadonlyMap<string, PatientState>
  /** The streams of the loans that applicants are reserved for. */
  readonly reservations: () => readonly string[]
}

export const startStoreFold = ({ store }: Pick<World, 'store'>): StoreFold => {
  const streams = new Map<string, Kept[]>()
  const readModels = {
    loans: foldOf(loans),
    consents: foldOf(consents),
    underwriting: foldOf(underwriting),
    audit: foldOf(audit),
  }
  const loanStates = new Map<string, LoanState>()
  const patientStates = new Map<string, PatientState>()
  const applicantStates = new Map<string, ReturnType<typeof applicant.evolve>>()
  const codecs = {
    loan: createCodec(loanStream),
    applicant: createCodec(applicantStream),
    patient: createCodec(patientStream),
  }
  const lastPositions = new Map<string, Position>()
  let reached: Position = beginning

  const evolve = (event: StoredEvent) => {
    const { stream } = event
    const category = categoryOf(stream)
    const id = stream.slice(category.length + 1)
    if (category === 'loan')
      loanStates.set(id, loan.evolve(loanStates.get(id) ?? loan.initialState, codecs.loan.decode(event)))
    if (category === 'patient')
      patientStates.set(id, evolvePatient(patientStates.get(id) ?? initialState, codecs.patient.decode(event)))
    if (category === 'applicant')
      applicantStates.set(
        id,
        applicant.evolve(applicantStates.get(id) ?? applicant.initialState, codecs.applicant.decode(event)),
      )
  }

  const take = (event: StoredEvent) => {
    const { id, stream, type, data, revision, position, metadata } = event
    const kept = streams.get(stream) ?? []
    kept.push({
      id,
      fact: factOf(type, data),
      revision: Number(revision),
      position: formatPosition(position),
      commandId: String(metadata.commandId),
    })
    streams.set(stream, kept)
    for (const model of Object.values(readModels)) model.take(event)
    evolve(event)
    lastPositions.set(categoryOf(stream), position)
    reached = position
  }

  return {
    readOn: async () => {
      for (;;) {
        const page = await store.readAfter(reached, pageEvents)
        for (const event of page) take(event)
        if (page.length < pageEvents) return
      }
    },
    streams,
    lastOf: (categories) =>
      categories.map((category) => lastPositions.get(category) ?? beginning).reduce(laterPosition, beginning),
    readModels,
    loans: loanStates,
    patients: patientStates,
    reservations: () =>
      [...applicantStates.values()].flatMap((state) => (state.status === 'reserved' ? [`loan-${state.loanId}`] : [])),
  }
}
