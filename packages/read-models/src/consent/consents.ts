// Read model `consents`: one row a patient and grantee, with what stands between them, and the queries on it.
import { hash } from 'node:crypto'
import {
  type Grantee,
  type GranteeKind,
  granteeKey,
  granteeOf,
  type PatientEvent,
  type Target,
} from '@headwater/deciders/consent/patient-events'
import {
  evolveGrantee,
  type GranteeState,
  noGrants,
  type Permission,
  permissionCovering,
  permissionsInForce,
} from '@headwater/deciders/consent/permissions'
import { patientStream } from '@headwater/deciders/consent/streams'
import { personKey } from '@headwater/deciders/fields'
import type { Cursor } from '@headwater/projections/model/cursor'
import { sqliteQueries } from '@headwater/projections/model/queries'
import { type Part, readModel } from '@headwater/projections/run/parts'
import type { CompiledQuery } from 'kysely'

export type ConsentRow = {
  /** Of the patient and the grantee. Says nothing about either, so that it can stand in an address. */
  readonly consentId: string
  readonly patientId: string
  readonly granteeKind: GranteeKind
  readonly granteeId: string
  /** JSON, the newest first. What is past its end stands here until that is written down. */
  readonly permissions: string
  /** JSON, the newest first. */
  readonly requests: string
  /** Of the newest permission; null when there is none. */
  readonly grantedAt: string | null
  /** Of the newest open request; null when there is none. */
  readonly askedAt: string | null
  /** 1 once the grantee has ever asked this patient. */
  readonly hasAsked: number
}

type ConsentRows = { readonly consents: ConsentRow }

const ownerColumns = ['patientId', 'granteeKind', 'granteeId'] as const

/** The two people of a consent. */
export type ConsentOwner = Pick<ConsentRow, (typeof ownerColumns)[number]>

const consentIdLength = 22 // 132 bits

export const consentIdOf = (patientId: string, grantee: Grantee): string =>
  hash('sha256', JSON.stringify([patientId, granteeKey(grantee)]), 'base64url').slice(0, consentIdLength)

/** What stands between the patient and the grantee of a row, to the letter of the events. */
export const granteeStateOfRow = ({
  permissions,
  requests,
}: Pick<ConsentRow, 'permissions' | 'requests'>): GranteeState => ({
  permissions: JSON.parse(permissions),
  requests: JSON.parse(requests),
})

/** What the grantee of a row may see at a moment, whether or not the end of the rest has been written down. */
export const permissionsAt = ({ permissions }: Pick<ConsentRow, 'permissions'>, at: string): readonly Permission[] =>
  permissionsInForce(JSON.parse(permissions), at)

const patientPart: Part<PatientEvent, ConsentRows> = {
  stream: patientStream,
  tables: {
    consents: {
      key: 'consentId',
      columns: {
        consentId: 'text',
        patientId: 'text',
        granteeKind: 'text',
        granteeId: 'text',
        permissions: 'text',
        requests: 'text',
        grantedAt: 'text or null',
        askedAt: 'text or null',
        hasAsked: 'integer',
      },
      indexes: [
        ['patientId', 'grantedAt', 'consentId'],
        ['patientId', 'askedAt', 'consentId'],
        ['granteeId', 'grantedAt', 'consentId'],
      ],
      topicColumns: ownerColumns,
    },
  },
  owners: { consents: 'patientId' },
  keys: (event) => {
    const grantee = granteeOf(event)
    return { consents: grantee ? [consentIdOf(event.data.patientId, grantee)] : [] }
  },
  project: (event, { consents }) => {
    const grantee = granteeOf(event)
    if (!grantee) return
    const { patientId } = event.data
    const consentId = consentIdOf(patientId, grantee)
    const row = consents.get(consentId)
    const { permissions, requests } = evolveGrantee(row ? granteeStateOfRow(row) : noGrants, event)
    // It stays when nothing stands any more: a row that is gone would not say to whom that is news.
    consents.set(consentId, {
      consentId,
      patientId,
      granteeKind: grantee.kind,
      granteeId: personKey(grantee.id),
      permissions: JSON.stringify(permissions),
      requests: JSON.stringify(requests),
      grantedAt: permissions[0]?.grantedAt ?? null,
      askedAt: requests[0]?.askedAt ?? null,
      hasAsked: Number(row?.hasAsked === 1 || event.type === 'ConsentAsked'),
    })
  },
}

export const consents = readModel({ name: 'consents', version: 2, parts: [patientPart] })

const queries = sqliteQueries<ConsentRows>()

export const consentById = (consentId: string): CompiledQuery<ConsentRow> =>
  queries.selectFrom('consents').selectAll().where('consentId', '=', consentId).compile()

/** Compiled once: this one is asked at every view of a record. */
const permissionsById = queries.selectFrom('consents').select('permissions').where('consentId', '=', '').compile()

export const permissionsBetween = (
  patientId: string,
  grantee: Grantee,
): CompiledQuery<Pick<ConsentRow, 'permissions'>> => ({
  ...permissionsById,
  parameters: [consentIdOf(patientId, grantee)],
})

/** Whether the rows of {@link permissionsBetween} give sight of the target. */
export const hasConsent = (rows: readonly Pick<ConsentRow, 'permissions'>[], target: Target, at: string): boolean =>
  rows.some(({ permissions }) => permissionCovering(JSON.parse(permissions), target, at) !== undefined)

/** Whose rows a list is of: those about a patient, or those of a grantee in some of their roles. */
export type ConsentsOf =
  | { readonly list: 'consents' | 'requests'; readonly patientId: string }
  | { readonly list: 'granted'; readonly granteeId: string; readonly kinds: readonly GranteeKind[] }

const orderOf = ({ list }: ConsentsOf) => (list === 'requests' ? 'askedAt' : 'grantedAt')

/** When the newest of what the list shows of the row came to be; null for a row that is not in it. */
const placeOf = (of: ConsentsOf, row: Pick<ConsentRow, 'askedAt' | 'grantedAt'>): string | null => row[orderOf(of)]

export const consentCursorOf = (of: ConsentsOf, row: ConsentRow): Cursor => ({
  at: placeOf(of, row) ?? '',
  id: row.consentId,
})

/** The newest first. */
export const listConsents = (
  of: ConsentsOf,
  { after, limit }: { readonly after?: Cursor | undefined; readonly limit: number },
): CompiledQuery<ConsentRow> => {
  const order = orderOf(of)
  let query = queries.selectFrom('consents').selectAll().where(order, 'is not', null)
  if (of.list === 'granted')
    query = query.where('granteeId', '=', of.granteeId).where('granteeKind', 'in', [...of.kinds])
  else query = query.where('patientId', '=', of.patientId)
  if (after)
    query = query.where(({ eb, refTuple, tuple }) => eb(refTuple(order, 'consentId'), '<', tuple(after.at, after.id)))
  return query.orderBy(order, 'desc').orderBy('consentId', 'desc').limit(limit).compile()
}

/** The order of {@link listConsents}: negative when `a` comes first. */
export const compareConsents =
  (of: ConsentsOf) =>
  (a: ConsentRow, b: ConsentRow): number => {
    const [first, second] = [placeOf(of, a) ?? '', placeOf(of, b) ?? '']
    if (first !== second) return first > second ? -1 : 1
    if (a.consentId !== b.consentId) return a.consentId > b.consentId ? -1 : 1
    return 0
  }

/** Whether a row is about the person whose list it is, whatever stands in it. */
export const isConcernedBy = (of: ConsentsOf, { patientId, granteeId, granteeKind }: ConsentOwner): boolean =>
  of.list === 'granted' ? granteeId === of.granteeId && of.kinds.includes(granteeKind) : patientId === of.patientId

/** Whether a row is in {@link listConsents}. */
export const matchesConsents =
  (of: ConsentsOf) =>
  (row: ConsentRow): boolean =>
    isConcernedBy(of, row) && placeOf(of, row) !== null
