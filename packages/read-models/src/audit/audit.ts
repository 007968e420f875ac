// Read model `audit`: who did what to which thing, was refused it, or looked at it. It holds no personal data: it outlives what it tells of.
import type { auditOutcomes } from '@headwater/deciders/audit/api'
import { type AuditEvent, auditStream } from '@headwater/deciders/audit/audit-events'
import { type Grantee, grantee } from '@headwater/deciders/consent/patient-events'
import { patientStream } from '@headwater/deciders/consent/streams'
import type { DomainEvent } from '@headwater/deciders/decider'
import { applicantStream } from '@headwater/deciders/loan/streams'
import { type Codec, createCodec, type RecordedEvent, streamDeletedType } from '@headwater/eventstore/codec'
import { categoryOf, idOf } from '@headwater/eventstore/stream-name'
import type { Projection } from '@headwater/projections/model/projection'

export type AuditOutcome = (typeof auditOutcomes)[number]

/** What followed from a command, a refusal, or a look. */
export type AuditRow = {
  /** The event's id, with a number behind it where the event tells of many: a repeat of the event is the same rows. */
  readonly eventId: string
  readonly at: string
  /** The `sub` of whoever asked, or the service that did it by itself. */
  readonly actor: string
  /** The event's type; of a refusal what was asked for, as `POST /api/loans/:id/approve`. */
  readonly action: string
  /** The id of what it was about. */
  readonly resource: string | null
  readonly outcome: AuditOutcome
  /** Why it was refused. */
  readonly code: string | null
  /** Finds all that belongs to one request, here and in the logs. */
  readonly correlationId: string | null
  /** JSON: of a followed list its name and filter, of a loan the part that was shown, of a consent whose and for what. */
  readonly details: string | null
}

type AuditRows = { readonly entries: AuditRow }

const auditCodec = createCodec(auditStream)

/** By category, those of other contexts that are looked into; of the rest only what is around them counts. */
const codecs: Readonly<Record<string, Codec<DomainEvent>>> = {
  applicant: createCodec(applicantStream),
  patient: createCodec(patientStream),
}

const codec: Projection<DomainEvent, AuditRows>['codec'] = {
  decode: (stored) => {
    const category = categoryOf(stored.stream)
    if (stored.type === streamDeletedType) return { ...stored, data: {} }
    if (category === 'audit') return auditCodec.decode(stored)
    const known = codecs[category]
    // As it is when it is newer than this: an audit of what is new must not wait.
    return known?.knows(stored) ? known.decode(stored) : { ...stored, data: Object(stored.data) }
  },
}

const textOr = <Otherwise>(value: unknown, otherwise: Otherwise): string | Otherwise =>
  typeof value === 'string' ? value : otherwise

type Audited = Pick<AuditRow, 'action' | 'resource' | 'outcome' | 'code' | 'details'>

const consentDetails = ({ kind, id }: Readonly<Record<keyof Grantee, string>>, target: string) => ({
  grantee: `${kind} ${id}`,
  target,
})

/** One, but for what is told of many at once. */
const auditedParts = (event: AuditEvent): readonly Audited[] =>
  event.type === 'ConsentsChecked'
    ? event.data.checks.map(({ patientId, grantee, target, count }) => ({
        action: 'ConsentChecked',
        resource: patientId,
        outcome: 'viewed',
        code: null,
        details: JSON.stringify({ ...consentDetails(grantee, target), count }),
      }))
    : [auditedPart(event)]

const auditedPart = (event: Exclude<AuditEvent, { type: 'ConsentsChecked' }>): Audited => {
  switch (event.type) {
    case 'RequestRefused': {
      const { method, route, resource, code } = event.data
      return { action: `${method} ${route}`, resource, outcome: 'refused', code, details: null }
    }
    case 'RefusalsUnlisted':
      return { action: event.type, resource: event.data.actor.sub, outcome: 'refused', code: 'too_many', details: null }
    case 'OperationDone': {
      const { method, route, resource } = event.data
      return { action: `${method} ${route}`, resource, outcome: 'accepted', code: null, details: null }
    }
    case 'SignedIn':
      return { action: event.type, resource: event.data.actor.sub, outcome: 'accepted', code: null, details: null }
    case 'SignInFailed': {
      const { sub } = event.data.actor
      return { action: event.type, resource: sub, outcome: 'refused', code: 'wrong_password', details: null }
    }
    case 'LoanViewed':
    case 'NationalIdRevealed': {
      const details = event.type === 'LoanViewed' ? JSON.stringify({ part: event.data.part }) : null
      return { action: event.type, resource: event.data.loanId, outcome: 'viewed', code: null, details }
    }
    case 'ListFollowed': {
      const { list, filter } = event.data
      const details = JSON.stringify({ list, ...filter })
      return { action: event.type, resource: null, outcome: 'viewed', code: null, details }
    }
  }
}

const isAuditEvent = (event: RecordedEvent<DomainEvent>): event is RecordedEvent<AuditEvent> =>
  categoryOf(event.stream) === 'audit' && event.type !== streamDeletedType

/** A stream of an applicant is named after a person, if in a way that only the key's holder can read: the loan stands for it. */
const resourceOf = ({ stream, data }: RecordedEvent<DomainEvent>): string | null =>
  categoryOf(stream) === 'applicant' ? textOr('loanId' in data ? data.loanId : undefined, null) : idOf(stream)

/** Of an event about a consent: whose, and for what. Other events say by their resource what they are about. */
const detailsOf = ({ stream, data }: RecordedEvent<DomainEvent>): string | null => {
  if (categoryOf(stream) !== 'patient') return null
  const { by, to, from, target } = data as Partial<Record<string, unknown>>
  const whose = grantee.safeParse(by ?? to ?? from).data
  return whose && typeof target === 'string' ? JSON.stringify(consentDetails(whose, target)) : null
}

const rowsOf = (event: RecordedEvent<DomainEvent>): readonly AuditRow[] => {
  const { id, metadata } = event
  const correlationId = textOr(metadata.$correlationId, null)
  if (isAuditEvent(event)) {
    const { at, actor } = event.data
    const parts = auditedParts(event)
    return parts.map((part, n) => ({
      eventId: parts.length === 1 ? id : `${id}.${n}`,
      at,
      actor: actor.sub,
      correlationId,
      ...part,
    }))
  }
  return [
    {
      eventId: id,
      at: event.recordedAt.toISOString(),
      actor: textOr(metadata.actor, 'unknown'),
      action: event.type === streamDeletedType ? 'StreamDeleted' : event.type,
      resource: resourceOf(event),
      outcome: 'accepted',
      code: null,
      correlationId,
      details: detailsOf(event),
    },
  ]
}

export const audit: Projection<DomainEvent, AuditRows> = {
  name: 'audit',
  version: 2,
  categories: ['loan', 'applicant', 'user', 'patient', 'audit'],
  // All share the stream of a day, and no entry depends on another.
  parks: 'event',
  codec,
  tables: {
    entries: {
      key: 'eventId',
      columns: {
        eventId: 'text',
        at: 'text',
        actor: 'text',
        action: 'text',
        resource: 'text or null',
        outcome: 'text',
        code: 'text or null',
        correlationId: 'text or null',
        details: 'text or null',
      },
      indexes: [
        ['at', 'eventId'],
        ['actor', 'at', 'eventId'],
        ['action', 'at', 'eventId'],
        ['resource', 'at', 'eventId'],
        ['outcome', 'at', 'eventId'],
        ['correlationId'],
      ],
    },
  },
  projectsDeletion: true,
  keys: (event) => ({ entries: rowsOf(event).map(({ eventId }) => eventId) }),
  project: (event, { entries }) => {
    for (const row of rowsOf(event)) entries.set(row.eventId, row)
  },
}
