// Consents in plain words.
import type { ConsentHistory, SeenConsent } from '@headwater/deciders/consent/api'
import type { GranteeKind, Target } from '@headwater/deciders/consent/patient-events'

export const targetWords: Readonly<Record<Target, string>> = {
  exams: 'exams',
  conditions: 'conditions',
  consultations: 'consultations',
  er_visits: 'emergency visits',
  all: 'everything',
}

export const kindWords: Readonly<Record<GranteeKind, string>> = { doctor: 'Doctor', nurse: 'Nurse', patient: 'Patient' }

/** An asker is shown by name and role: the issuer vouches for the role, people mostly choose the name themselves. */
export const nameOf = ({ grantee: { kind, id }, granteeName }: Pick<SeenConsent, 'grantee' | 'granteeName'>): string =>
  granteeName === undefined ? `${kindWords[kind]} ${id}` : `${granteeName} (${kindWords[kind].toLowerCase()})`

export const durations = [
  { seconds: '', words: 'without end' },
  { seconds: '60', words: 'for a minute' },
  { seconds: '3600', words: 'for an hour' },
  { seconds: '86400', words: 'for a day' },
  { seconds: '2592000', words: 'for 30 days' },
] as const

/** A map, because the key comes from an address and may be any text. */
export const doneWords: ReadonlyMap<string | null, string> = new Map([
  // True for every ID: whether it is a patient's is not for the asker to know.
  [
    'ask',
    'Request sent. If this ID belongs to a patient, they can see it on their page, and by e-mail if we have their address.',
  ],
  ['grant', 'It is granted.'],
  ['revoke', 'It is taken back.'],
  ['decline', 'It is declined.'],
])

/** A sentence of the history; who `they` are its heading says. */
export const eventWords = (event: ConsentHistory['events'][number]): string => {
  const part = targetWords[event.data.target]
  switch (event.type) {
    case 'ConsentAsked':
      return event.data.purpose === null
        ? `They asked to see ${part}.`
        : `They asked to see ${part}: “${event.data.purpose}”`
    case 'ConsentGranted':
      return event.data.until === null
        ? `You let them see ${part}, without end.`
        : `You let them see ${part}, for a time.`
    case 'ConsentRevoked':
      return `You took back sight of ${part}.`
    case 'ConsentDeclined':
      return `You declined to show ${part}.`
    case 'ConsentExpired':
      return `Sight of ${part} came to its end.`
  }
}
