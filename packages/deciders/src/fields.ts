// The field schemas shared by all inputs: lines of text, names, IDs, references.
import { z } from 'zod'

const nameLengthMax = 120
const personIdLengthMax = 255
const emailLengthMax = 254

/** All shared schemas. A server with a route that accepts other text does not start (free-text.ts). */
export const fields = z.registry<{ readonly kind: string }>()

/** Registers a schema with a special format, such as a national ID, as shared. */
export const field = <Schema extends z.ZodType>(kind: string, schema: Schema): Schema => {
  fields.add(schema, { kind })
  return schema
}

type Rule = { readonly pattern: RegExp; readonly message: string }

// Without the flag v: some browsers that check these fields do not support it.
const malformed: Rule = { pattern: /\p{Cs}|\p{Noncharacter_Code_Point}/u, message: 'only well-formed Unicode' }
const controlsAndLineEnds: Rule = {
  pattern: /[\p{Cc}\u2028\u2029]/u,
  message: 'no line breaks or control characters',
}
const controls: Rule = { pattern: /[^\P{Cc}\t\n]/u, message: 'no control characters' }
const directions: Rule = { pattern: /\p{Bidi_Control}/u, message: 'no characters that change the writing direction' }
/** Unlike marks for single letters, these affect following text: they would reverse an amount beside it. */
const overrides: Rule = { ...directions, pattern: /[\u202a-\u202e\u2066-\u2069]/u }
/** Except visible format characters, such as the Arabic number sign. */
const invisible: Rule = {
  pattern:
    /(?![\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}])[\p{Default_Ignorable_Code_Point}\p{Cf}]/u,
  message: 'no invisible characters',
}
/** No script needs more; more accents cover the lines around them. */
const accentPiles: Rule = { pattern: /\p{M}{9}/u, message: 'at most 8 accents on a letter' }
const notAscii: Rule = { pattern: /[^ -~]/, message: 'only letters without accents, digits and punctuation' }

const visible: Rule = {
  pattern: /(?![\p{Default_Ignorable_Code_Point}\u2800\u{1d159}])[\p{L}\p{N}\p{P}\p{S}\p{Co}]/u,
  message: 'at least one visible character',
}
const letter: Rule = { pattern: /(?!\p{Default_Ignorable_Code_Point})\p{L}/u, message: 'at least one letter' }

const inNormalForm = (text: string): string => text.normalize('NFC').trim()
/** Forms send CRLF for a line end that the page counts as one character. */
const withPlainLineEnds = (text: string): string => inNormalForm(text.replaceAll(/\r\n?/g, '\n'))
/** For passwords. Exported for sign-in, which only compares them. */
export const inOneForm = (text: string): string => text.normalize('NFKC')
const inLowerCase = (text: string): string => text.trim().toLowerCase()

/** Text without rules. */
export const anyText = () => z.string({ error: ({ input }) => (input === undefined ? 'is missing' : 'a text') })

type TextRules = {
  readonly min?: number
  readonly max: number
  readonly refused: readonly Rule[]
  readonly needed?: Rule
  readonly normalise?: (text: string) => string
}

const textOf = (kind: string, { min = 1, max, refused, needed = visible, normalise = inNormalForm }: TextRules) => {
  const faultOf = (text: string): string | undefined => {
    if (text === '') return 'is missing'
    const broken = refused.find(({ pattern }) => pattern.test(text))
    if (broken) return broken.message
    // In code points, as in JSON Schema.
    const { length } = [...text]
    if (length < min) return `at least ${min} characters`
    if (length > max) return `at most ${max} characters`
    return needed.pattern.test(text) ? undefined : needed.message
  }
  const checked = anyText()
    .overwrite(normalise)
    .check(({ value, issues }) => {
      const message = faultOf(value)
      if (message !== undefined) issues.push({ code: 'custom', message, input: value })
    })
  return field(kind, checked.meta({ minLength: min, maxLength: max }))
}

const labelRules = [malformed, controlsAndLineEnds, directions, invisible, accentPiles]

/** A label of one line, such as an address. */
export const lineOfText = (max: number) => textOf('line of text', { max, refused: labelRules })

/** The name of a person or partner: a line with a letter of any script. */
export const name = textOf('name', { max: nameLengthMax, refused: labelRules, needed: letter })

/** Text in sentences, with line ends and tabs. */
export const longText = (max: number, min = 1) =>
  textOf('long text', {
    min,
    max,
    refused: [malformed, controls, overrides, accentPiles],
    normalise: withPlainLineEnds,
  })

/** Text that is typed and never shown. Normalized as NFKC, because keyboards write one letter in several ways. */
export const secret = (min: number, max: number) =>
  textOf('secret', { min, max, refused: [malformed, controls], normalise: inOneForm })

/** An identifier from another system, such as a client ID: printable ASCII. */
export const reference = (max: number) => textOf('reference', { max, refused: [notAscii] })

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** An ID that Headwater assigned. */
export const uuid = field('uuid', anyText().overwrite(inLowerCase).check(z.uuid('a UUID')))

/**
 * The spelling by which people are compared. Case is ignored only in UUIDs: other issuers may have IDs that differ only
 * in case. Events older than normalized IDs hold other spellings.
 */
export const personKey = (id: string): string => (uuidPattern.test(inLowerCase(id)) ? inLowerCase(id) : id.trim())

/** A person's ID at the identity provider. */
export const personId = textOf('person id', { max: personIdLengthMax, refused: [notAscii], normalise: personKey })

/** Checked before lower-casing, which turns some letters of other alphabets into ASCII. */
export const email = field(
  'email',
  anyText()
    .trim()
    .max(emailLengthMax, `at most ${emailLengthMax} characters`)
    .check(z.email('an address such as ada@example.org'))
    .toLowerCase(),
)

// biome-ignore-start lint/style/noRestrictedGlobals: reads dates and asks no clock
const instantMsMin = Date.parse('0001-01-01T00:00:00Z')
const instantMsMax = Date.parse('9999-12-31T23:59:59.999Z')
const hasFourDigitYear = (text: string): boolean => Date.parse(text) >= instantMsMin && Date.parse(text) <= instantMsMax
// biome-ignore-end lint/style/noRestrictedGlobals: reads dates and asks no clock

/** A moment with its time zone. Instants compare as text, which requires UTC and years of four digits. */
export const instant = field(
  'instant',
  z.iso
    .datetime({ offset: true, abort: true, error: 'a date and time with its zone, such as 2026-12-24T18:00:00Z' })
    .refine(hasFourDigitYear, 'between the years 1 and 9999 in UTC'),
)

/** A field that may be missing or null. */
export const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => value ?? undefined, schema.optional()).optional()

const isBlank = (value: unknown): boolean => typeof value === 'string' && value.trim() === ''

/** Text that may also be empty, as forms send it. */
export const optionalText = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (isBlank(value) ? undefined : (value ?? undefined)), schema.optional()).optional()
