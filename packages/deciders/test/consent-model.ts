// A second, simple model of a patient's consents, and random chains of commands to compare both.
import fc from 'fast-check'
import type { PatientCommand } from '../src/consent/patient.ts'
import { type Grantee, granteeKey, type Target, targets } from '../src/consent/patient-events.ts'

const patientId = 'paula'
const grantees: readonly Grantee[] = [
  { kind: 'doctor', id: 'dora' },
  { kind: 'patient', id: 'dora' },
  { kind: 'nurse', id: 'paula' },
]

const startMs = Date.parse('2026-11-21T10:00:00.000Z')
const instantAt = (second: number) => new Date(startMs + second * 1_000).toISOString()

/** Later than any second that a chain of commands reaches. */
const forEver = 1_000_000

type Sight = { single: Map<Target, number>; all: number; asked: Set<Target> }

/** A command and the seconds before it. */
type Step = { readonly wait: number; readonly command: (at: string, second: number) => PatientCommand }

const someone = fc.constantFrom(...grantees)
const something = fc.constantFrom(...targets)
const endAfter = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined })

const command: fc.Arbitrary<Step['command']> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(someone, something, endAfter).map(
      ([to, target, after]) =>
        (at: string, second: number): PatientCommand => ({
          type: 'GrantConsent',
          data: {
            patientId,
            to,
            target,
            at,
            kinds: [to.kind],
            ...(after === undefined ? {} : { until: instantAt(second + after) }),
          },
        }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(someone, something).map(
      ([by, target]) =>
        (at: string): PatientCommand => ({ type: 'AskConsent', data: { patientId, by, target, at } }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(someone, something).map(
      ([from, target]) =>
        (at: string): PatientCommand => ({ type: 'RevokeConsent', data: { patientId, from, target, at } }),
    ),
  },
  fc.tuple(someone, something).map(
    ([by, target]) =>
      (at: string): PatientCommand => ({ type: 'DeclineConsent', data: { patientId, by, target, at } }),
  ),
  // A timer may be early, in time or late, or for an end that was replaced.
  {
    weight: 2,
    arbitrary: fc.tuple(someone, something, fc.integer({ min: -4, max: 3 })).map(
      ([from, target, end]) =>
        (at: string, second: number): PatientCommand => ({
          type: 'ExpireConsent',
          data: { patientId, from, target, at, until: instantAt(second + end) },
        }),
    ),
  },
)

export const chains: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ wait: fc.integer({ min: 0, max: 2 }), command }),
  { maxLength: 40 },
)

export type Expected = 'an event' | 'nothing' | string

/** A model that takes the commands of a chain in order, and returns the expected result of each. */
export const createModel = () => {
  const sights = new Map(
    grantees.map((grantee): [string, Sight] => [granteeKey(grantee), { single: new Map(), all: -1, asked: new Set() }]),
  )
  let second = 0

  const sightOf = (grantee: Grantee) => sights.get(granteeKey(grantee)) as Sight
  const endOf = (sight: Sight, target: Target) => (target === 'all' ? sight.all : (sight.single.get(target) ?? -1))
  const has = (grantee: Grantee, target: Target, at = second): boolean => {
    const sight = sightOf(grantee)
    return sight.all > at || endOf(sight, target) > at
  }
  const secondOf = (instant: string) => (Date.parse(instant) - startMs) / 1_000

  const expected = ({ type, data }: PatientCommand): Expected => {
    switch (type) {
      case 'AskConsent': {
        if (data.by.id === patientId) return 'asking_oneself'
        if (has(data.by, data.target)) return 'consent_already_granted'
        const { asked } = sightOf(data.by)
        if (asked.has(data.target)) return 'nothing'
        asked.add(data.target)
        return 'an event'
      }
      case 'GrantConsent': {
        const { to, target, until } = data
        if (to.id === patientId) return 'granting_oneself'
        const end = until === undefined ? forEver : secondOf(until)
        if (end <= second) return 'until_not_in_future'
        const sight = sightOf(to)
        if (target !== 'all' && sight.all > second) return 'consent_already_granted'
        if (endOf(sight, target) === end) return 'consent_already_granted'
        if (target !== 'all') sight.single.set(target, end)
        else {
          sight.all = end
          if (end === forEver) sight.single.clear()
        }
        for (const answered of target === 'all' ? targets : [target]) sight.asked.delete(answered)
        return 'an event'
      }
      case 'RevokeConsent': {
        const { from, target } = data
        const sight = sightOf(from)
        if (target !== 'all' && sight.all > second) return 'consent_not_granted'
        if (endOf(sight, target) <= second) return 'consent_not_granted'
        if (target !== 'all') sight.single.delete(target)
        else {
          sight.all = -1
          sight.single.clear()
        }
        return 'an event'
      }
      case 'DeclineConsent':
        return sightOf(data.by).asked.delete(data.target) ? 'an event' : 'consent_not_asked'
      case 'ExpireConsent': {
        const { from, target, until } = data
        const sight = sightOf(from)
        const end = secondOf(until)
        if (end < 0 || endOf(sight, target) !== end) return 'nothing'
        if (end > second) return 'consent_not_due'
        if (target === 'all') sight.all = -1
        else sight.single.delete(target)
        return 'an event'
      }
      case 'RegisterContact':
        return 'an event'
    }
  }

  return {
    /** The expected result of the next command. */
    next: ({ wait, command }: Step) => {
      second += wait
      const built = command(instantAt(second), second)
      return { command: built, expected: expected(built) }
    },
    /** The answers to all questions, for now and for each second until no temporary consent is left. */
    answers: () =>
      grantees.flatMap((grantee) =>
        targets.flatMap((target) =>
          Array.from({ length: 8 }, (_, ahead) => ({
            grantee,
            target,
            at: instantAt(second + ahead),
            has: has(grantee, target, second + ahead),
          })),
        ),
      ),
    asked: () =>
      grantees
        .flatMap((grantee) => [...sightOf(grantee).asked].map((target) => `${granteeKey(grantee)} ${target}`))
        .sort(),
  }
}
