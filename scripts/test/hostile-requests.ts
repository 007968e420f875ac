// Every request that can carry text, once for each of its fields, with a given text in it.

type Body = Readonly<Record<string, unknown>>

/** Who sends it: each is known to the system that is asked. */
export type Sender = 'applicant' | 'underwriter' | 'operator' | 'auditor' | 'patient' | 'doctor' | 'partner'

export type HostileRequest = {
  readonly as: Sender
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: Body
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

const command = (as: Sender, path: string, body: Body) => ({ as, method: 'POST', path, body }) as const
const query = (as: Sender, path: string, names: readonly string[]) =>
  names.map((name) => ({ as, method: 'GET', path: `${path}?${name}=` }) as const)

/** A lone surrogate has no UTF-8; encoded all the same, as some clients do. */
const encoded = (text: string): string =>
  [...text].map((one) => (one.isWellFormed() ? encodeURIComponent(one) : '%ED%A0%80')).join('')

/** The body with each of its texts, one at a time, replaced. */
const withText = (body: Body, text: string): readonly Body[] =>
  Object.entries(body).flatMap(([name, value]): Body[] => {
    if (typeof value === 'string') return [{ ...body, [name]: text }]
    if (typeof value === 'object') return withText(value as Body, text).map((inner) => ({ ...body, [name]: inner }))
    return []
  })

/** Of a person, a loan, an event, a job: where it is not what the text stands for, the request is as it should be. */
export const knownId = '0bf443f5-898c-4d05-8671-f8090d7ba059'
const doctor = { kind: 'doctor', id: knownId }
const application = { name: 'Ada', address: 'London', nationalId: '555555AA', amount: 1 }

const commands = [
  command('applicant', '/api/loans', application),
  ...['approve', 'deny'].map((name) => command('underwriter', `/api/loans/${knownId}/${name}`, { reason: '' })),
  command('applicant', `/api/loans/${knownId}/withdraw`, { reason: '' }),
  command('doctor', '/api/consents/ask', { patientId: knownId, target: 'exams', purpose: '', kind: 'doctor' }),
  command('patient', '/api/consents/grant', { to: doctor, target: 'exams', until: '' }),
  command('patient', '/api/consents/revoke', { from: doctor, target: 'exams' }),
  command('patient', '/api/consents/decline', { by: doctor, target: 'exams' }),
  command('partner', '/api/consents/check', { patientId: knownId, grantee: doctor, target: 'exams' }),
  command('operator', '/api/operations/followers/loans/resume', { node: '' }),
  command('operator', `/api/operations/parked/${knownId}/retry`, { follower: 'loans', node: '' }),
  command('operator', `/api/operations/parked/${knownId}/skip`, { follower: 'loans', reason: 'why' }),
  command('operator', `/api/operations/parked-jobs/${knownId}/skip`, { reason: 'why' }),
  command('operator', '/api/webhooks', { partner: 'acme', url: 'https://example.org' }),
]

const queries = [
  ...query('underwriter', '/api/loans', ['status', 'cursor', 'after', 'limit']),
  ...query('underwriter', `/api/loans/${knownId}`, ['asOf', 'after']),
  ...query('underwriter', `/api/loans/${knownId}/changes`, ['from', 'to']),
  ...query('underwriter', '/api/underwriting/queue', ['score', 'sort', 'direction', 'cursor', 'after']),
  ...query('underwriter', '/api/underwriting/history', ['outcome', 'from', 'to', 'cursor']),
  ...query('underwriter', '/api/underwriting/history.csv', ['from', 'to']),
  ...query('underwriter', '/api/underwriting/statistics', ['days', 'after']),
  ...query('auditor', '/api/audit', [
    'actor',
    'action',
    'outcome',
    'resource',
    'correlationId',
    'from',
    'to',
    'cursor',
  ]),
  ...query('patient', '/api/consents', ['cursor', 'after']),
  ...query('patient', '/api/consents/requests', ['cursor']),
  ...query('doctor', '/api/consents/granted', ['cursor']),
  ...query('applicant', '/auth/callback', ['code', 'state', 'error', 'error_description']),
  ...query('underwriter', '/underwriting', ['score', 'order', 'cursor']),
  ...query('underwriter', `/underwriting/loans/${knownId}`, ['after', 'asOf']),
  ...query('auditor', '/audit', ['actor', 'from', 'cursor']),
  ...query('patient', '/consents', ['after', 'done']),
  ...query('operator', '/operations', ['done', 'of']),
]

const parameters = [
  ['underwriter', '/api/loans/'],
  ['underwriter', '/underwriting/loans/'],
  ['patient', '/api/consents/:/history'],
  ['operator', '/api/operations/followers/:/resume'],
  ['operator', '/api/operations/parked/:/retry'],
  ['operator', '/api/webhooks/:/deliveries'],
  ['applicant', '/auth/link/'],
  ['applicant', '/applications/'],
  ['applicant', '/apply/'],
] as const

const forms = [
  [
    'applicant',
    `/apply/${knownId}`,
    { name: 'Ada', address: 'London', nationalId: '555555AA', amount: '1', do: 'check' },
  ],
  ['applicant', `/applications/${knownId}`, { key: knownId }],
  ['underwriter', `/underwriting/loans/${knownId}`, { decision: 'approve', reason: '', key: knownId }],
  ['underwriter', '/underwriting', { search: '', score: '' }],
  ['patient', '/consents', { do: 'grant', kind: 'doctor', id: knownId, target: 'exams', seconds: '60' }],
  ['doctor', '/consents/patients', { do: 'ask', id: knownId, target: 'exams', kind: 'doctor', purpose: '' }],
  ['operator', '/operations', { do: 'skip', of: 'loans', node: 'n', id: knownId, reason: 'why' }],
  ['operator', '/operations/webhooks', { key: knownId, partner: 'acme', url: 'https://example.org' }],
] as const

const headers = ['headwater-search', 'idempotency-key', 'if-match', 'traceparent', 'cookie', 'accept', 'origin']

/** @param text in well-formed UTF-8 where it is sent as bytes */
export const requestsWith = (text: string): readonly HostileRequest[] => [
  ...commands.flatMap((one) => withText(one.body, text).map((body) => ({ ...one, body }))),
  ...queries.map((one) => ({ ...one, path: `${one.path}${encoded(text)}` })),
  ...queries.flatMap((one) =>
    one.path.includes('cursor')
      ? [{ ...one, path: `${one.path}${Buffer.from(`${text} ${text}`).toString('base64url')}` }]
      : [],
  ),
  ...parameters.map(([as, path]): HostileRequest => {
    const [start, end = ''] = path.split(':')
    return { as, method: end.startsWith('/re') ? 'POST' : 'GET', path: `${start}${encoded(text)}${end}` }
  }),
  ...forms.flatMap(([as, path, form]) =>
    withText(form, text).map((one) => ({ as, method: 'POST', path, form: one as Record<string, string> }) as const),
  ),
  ...headers.map((name) => {
    const value = name === 'headwater-search' ? encoded(text) : text.replaceAll(/[^ -~]/g, '?')
    return { as: 'underwriter', method: 'GET', path: '/api/underwriting/queue', headers: { [name]: value } } as const
  }),
]
