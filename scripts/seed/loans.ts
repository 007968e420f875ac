// Made-up people who ask for loans, and what an underwriter makes of each: the same for the same seed.

/** What an underwriter does with the loan if it comes to wait for one. */
type Review =
  | { readonly command: 'approve' | 'deny' | 'withdraw'; readonly reason: string }
  | { readonly command: 'none' }

export type SeedLoan = {
  readonly key: string
  readonly application: {
    readonly name: string
    readonly address: string
    readonly nationalId: string
    readonly amount: number
  }
  readonly review: Review
  /** So many loans later. */
  readonly reviewLag: number
}

/** National ids hold five digits of a serial number. */
export const loansMax = 100_000
/** Shares no factor with {@link loansMax}: multiplying by it shuffles the serial numbers, and none comes twice. */
const shuffle = 7_919
const reviewLagMax = 25

const firstNames = [
  ['Ada', 'Amara', 'Aoife', 'Beatriz', 'Chiara', 'Dagny', 'Elif', 'Émilie', 'Fatima', 'Grace', 'Hanna', 'Ingrid'],
  ['Jasmin', 'Katarzyna', 'Leilani', 'Mei', 'Nadia', 'Olga', 'Priya', 'Renée', 'Søren', 'Tomás', 'Uchenna', 'Viktor'],
  ['Wanjiru', 'Xavier', 'Yusuf', 'Zoë', 'Arjun', 'Björn', 'Callum', 'Dmitri', 'Enzo', 'Farid', 'Günther', 'Haruto'],
].flat()
const lastNames = [
  ['Ångström', 'Achterberg', 'Bianchi', 'Błaszczyk', 'Costa', 'de Vries', 'Diallo', 'Eriksson', 'Fernández', 'Fischer'],
  [
    'García',
    'Hopper',
    'Ivanova',
    'Jansen',
    'Kowalska',
    'Larsen',
    'Lovelace',
    'Müller',
    'Nakamura',
    "O'Brien",
    'Okafor',
  ],
  ['Papadopoulos', 'Quispe', 'Rossi', 'Sørensen', 'Tanaka', 'Ueda', 'van den Berg', 'Weber', 'Yılmaz', 'Zhang'],
].flat()
const streets = [
  'Mill Lane',
  'Rue des Lilas',
  'Lindenstraße',
  'Via Garibaldi',
  'Calle Mayor',
  'Storgatan',
  'Keizersgracht',
]
const cities = ['Dublin', 'Lyon', 'Leipzig', 'Torino', 'Sevilla', 'Malmö', 'Utrecht', 'Kraków', 'Porto', 'Aarhus']
const letters = 'ABCDEFGHJKLMNPRSTVWXYZ'

/** How often each first digit comes; the stand-in credit bureau makes the score of it. */
const firstDigits = '0112233445555566666778899'
/** What people borrow: from, to, in steps of. */
const amounts = [
  [500, 5_000, 50],
  [500, 5_000, 50],
  [5_000, 30_000, 500],
  [5_000, 30_000, 500],
  [30_000, 120_000, 1_000],
  [120_000, 900_000, 5_000],
] as const
const reviews: readonly Review[] = [
  { command: 'approve', reason: 'steady income' },
  { command: 'approve', reason: 'small against what is earned' },
  { command: 'approve', reason: 'known customer, always paid back' },
  { command: 'deny', reason: 'too much for this income' },
  { command: 'deny', reason: 'two open loans elsewhere' },
  { command: 'withdraw', reason: 'found another lender' },
  { command: 'none' },
  { command: 'none' },
]

/** Numbers from 0 to below 1 that look like chance and are the same for the same seed (mulberry32). */
const chance = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @param count at most {@link loansMax} */
export const seedLoans = (seed: number, count: number): readonly SeedLoan[] => {
  const next = chance(seed)
  const below = (end: number): number => Math.floor(next() * end)
  const pick = <T>(from: ArrayLike<T>): T => from[below(from.length)] as T
  const firstSerial = below(loansMax)
  return Array.from({ length: count }, (_, n) => {
    const [least, most, step] = pick(amounts)
    const serial = (firstSerial + n * shuffle) % loansMax
    return {
      key: `seed-${seed}-${n}`,
      application: {
        name: `${pick(firstNames)} ${pick(lastNames)}`,
        address: `${pick(streets)} ${1 + below(120)}, ${pick(cities)}`,
        nationalId: `${pick(firstDigits)}${String(serial).padStart(5, '0')}${pick(letters)}${pick(letters)}`,
        amount: least + step * below((most - least) / step + 1),
      },
      review: pick(reviews),
      reviewLag: 1 + below(reviewLagMax),
    }
  })
}
