// The shared field schemas accept and refuse texts that have broken other systems, and every input uses them.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as patientContract from '../src/consent/patient.ts'
import {
  email,
  field,
  instant,
  lineOfText,
  longText,
  name,
  optional,
  optionalText,
  personId,
  reference,
  uuid,
} from '../src/fields.ts'
import { freeText } from '../src/free-text.ts'
import * as userContract from '../src/identity/user.ts'
import * as loanContract from '../src/loan/loan.ts'
import * as operationsContract from '../src/operations/operations.ts'
import * as webhookContract from '../src/webhook/webhook.ts'
import { ascii, controls, hostileTexts, lengthMax, malformed, missing, same } from './hostile-texts.ts'

const nationalId = loanContract.requestLoanInput.shape.nationalId
const password = userContract.changePasswordInput('ada').shape.password

const schemas = {
  name,
  line: lineOfText(lengthMax),
  long: longText(lengthMax),
  reference: reference(lengthMax),
  uuid,
  person: personId,
  email,
  instant,
  nationalId,
  userName: userContract.userName,
  password,
} as const
type Kind = keyof typeof schemas

/** The accepted form of a text, or the message of its refusal. */
const outcome = (kind: Kind, text: unknown): string => {
  const parsed = schemas[kind].safeParse(text)
  return parsed.success ? `=${parsed.data}` : `${parsed.error.issues.map(({ message }) => message).join('; ')}`
}

describe.each(['name', 'line', 'long', 'reference'] as const)('as a %s', (kind) => {
  const column = { name: 2, line: 3, long: 4, reference: 5 } as const
  test.each(hostileTexts.map((row) => [row[0], row[1], row[column[kind]] ?? '']))('%s', (_what, text, expected) => {
    expect(outcome(kind, text)).toBe(expected === same ? `=${text}` : expected)
  })
})

/** The hostile texts that each kind with a special format accepts. */
const accepted: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  uuid: [],
  email: [],
  nationalId: [],
  instant: [],
  userName: ['blanks around', 'a constructor', 'null as text', 'a number as text', 'a letter too many'],
  // Like references, but longer.
  person: hostileTexts.flatMap(([what, , , , , asReference]) =>
    asReference.startsWith('=') || asReference === same || what === 'a letter too many' ? [what] : [],
  ),
  password: ['SQL', 'markup', 'a path', 'as many letters outside of the basic plane as fit', 'a letter too many'],
}

test.each(Object.entries(accepted))('as a %s, of the hostile texts only %j are accepted', (kind, texts) => {
  const schema = schemas[kind as Kind]
  const found = hostileTexts.flatMap(([what, text]) => {
    const { data } = schema.safeParse(text)
    // An accepted text is accepted again unchanged.
    if (data !== undefined) expect(schema.parse(data)).toBe(data)
    return data === undefined ? [] : [what]
  })
  expect(found).toEqual(texts)
})

const sixDigits = 'six digits, then two letters'
const userNameRule = '3 to 40 letters without accents, digits, dots, dashes or underscores'
const anAddress = 'an address such as ada@example.org'
const aMoment = 'a date and time with its zone, such as 2026-12-24T18:00:00Z'
const years = 'between the years 1 and 9999 in UTC'
const id = 'b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11'

test.each<readonly [Kind, unknown, string]>([
  ['uuid', ` ${id.toUpperCase()}\n`, `=${id}`],
  ['uuid', `{${id}}`, 'a UUID'],
  ['uuid', `${id}\u0000`, 'a UUID'],
  ['uuid', id.replaceAll('-', ''), 'a UUID'],
  ['uuid', id.replace('b', 'в'), 'a UUID'],
  ['uuid', '', 'a UUID'],
  ['uuid', undefined, missing],
  ['uuid', 5, 'a text'],
  ['person', ` ${id.toUpperCase()} `, `=${id}`],
  ['person', ' auth0|Ada ', '=auth0|Ada'],
  ['person', 'ad\u0430', ascii],
  ['person', 'a\u0000b', ascii],
  ['person', 'a'.repeat(256), 'at most 255 characters'],
  ['person', ' ', missing],
  ['person', null, 'a text'],
  ['person', 7, 'a text'],
  ['email', ' Ada@Example.org ', '=ada@example.org'],
  ['email', 'ada@example.or\u212a', anAddress],
  ['email', 'ada@example.org\u0000', anAddress],
  ['email', 'ada@example.org\r\nBcc: b@example.org', anAddress],
  ['email', 'ad\u0430@example.org', anAddress],
  ['email', `${'a'.repeat(250)}@b.org`, 'at most 254 characters'],
  ['nationalId', ' 555555aa ', '=555555AA'],
  ['nationalId', '516103ß', sixDigits],
  ['nationalId', '516103ﬀ', sixDigits],
  ['nationalId', '516103aı', sixDigits],
  ['nationalId', '٥٥٥٥٥٥AA', sixDigits],
  ['nationalId', '５５５５５５AA', sixDigits],
  ['nationalId', '555555АА', sixDigits],
  ['nationalId', '555555AA\u0000', sixDigits],
  ['userName', ' Ada ', '=ada'],
  ['userName', 'Bec\u212ay', userNameRule],
  ['userName', 'ad\u0430', userNameRule],
  ['userName', 'a\nb', userNameRule],
  ['password', ' with blanks around ', '= with blanks around '],
  ['password', 'pass\u0000word word', controls],
  ['password', 'password word\ud800', malformed],
  ['password', '🙂'.repeat(11), 'at least 12 characters'],
  ['password', '🙂'.repeat(12), `=${'🙂'.repeat(12)}`],
  ['password', 'ﬁ'.repeat(65), 'at most 128 characters'],
  ['instant', '2026-12-24T18:00:00+01:00', '=2026-12-24T18:00:00+01:00'],
  ['instant', '9999-12-31T23:59:59-12:00', years],
  ['instant', '9999-12-31T23:59:59Z', '=9999-12-31T23:59:59Z'],
  ['instant', '0001-01-01T00:00:00+00:01', years],
  ['instant', '2026-02-30T00:00:00Z', aMoment],
  ['instant', '2026-12-24T18:00:00', aMoment],
  ['instant', '2026-12-24T18:00:00Z\u0000', aMoment],
])('%s %j: %s', (kind, text, expected) => expect(outcome(kind, text)).toBe(expected))

test('an optional field may be missing, null or, as text, blank, with the same result', () => {
  const schema = z.strictObject({ reason: optionalText(longText(lengthMax)), kind: optional(z.enum(['a'])) })
  for (const absent of [{}, { reason: undefined }, { reason: null }, { reason: '' }, { reason: ' \n', kind: null }])
    expect(JSON.stringify(schema.parse(absent))).toBe('{}')
  expect(schema.parse({ reason: ' why ', kind: 'a' })).toEqual({ reason: 'why', kind: 'a' })
  expect(outcome('long', 'a')).toBe('=a')
  expect(schema.safeParse({ kind: '' }).success).toBe(false)
  expect(schema.safeParse({ reason: 5 }).success).toBe(false)
  expect(schema.safeParse({ reason: '\u200b' }).success).toBe(false)
})

test('every text in the inputs of all APIs has a shared field schema', () => {
  const contracts = [patientContract, userContract, loanContract, operationsContract, webhookContract]
  const inputs = contracts.flatMap((contract) =>
    Object.entries(contract).flatMap(([title, exported]): [string, z.ZodType][] => {
      if (!/[iI]nput$/.test(title)) return []
      return [[title, (typeof exported === 'function' ? exported('ada') : exported) as z.ZodType]]
    }),
  )
  expect(inputs.length).toBeGreaterThan(12)
  for (const [title, input] of inputs) expect(freeText(input), title).toEqual([])
})

test('freeText finds free text in all kinds of schemas', () => {
  const shared = field('thing', z.string())
  const schema = z.object({
    fine: shared.meta({ description: 'Still shared.' }).optional(),
    kinds: z.enum(['a']),
    page: z.coerce.number(),
    text: z.string().optional(),
    many: z.array(z.object({ any: z.unknown() })),
    either: z.union([z.literal('a'), z.string().transform(Number)]),
    map: z.record(z.string(), shared),
    id: z.uuid(),
    piped: z.preprocess(String, z.string()),
    rest: z.tuple([z.number()], z.string()),
    later: z.lazy(() => z.string()),
    custom: z.custom<string>(),
    set: z.set(z.string()),
  })
  const found = ['text', 'many[].any', 'either', 'map.*', 'id', 'piped', 'rest[]', 'later', 'custom', 'set']
  expect(freeText(schema)).toEqual(found)
})
