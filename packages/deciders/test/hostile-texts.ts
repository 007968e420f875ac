// Texts that have broken other systems, with the result of each as a name, a line, a long text and a reference.

export const lengthMax = 30

export const missing = 'is missing'
export const malformed = 'only well-formed Unicode'
const lineEnds = 'no line breaks or control characters'
export const controls = 'no control characters'
const direction = 'no characters that change the writing direction'
const invisible = 'no invisible characters'
const noLetter = 'at least one letter'
const notVisible = 'at least one visible character'
const accents = 'at most 8 accents on a letter'
export const ascii = 'only letters without accents, digits and punctuation'
export const same = 'same'

/** A text with its results as a name, a line, a long text and a reference; `same` is accepted unchanged. */
export const hostileTexts: readonly (readonly [
  what: string,
  text: string,
  name: string,
  line: string,
  long: string,
  reference: string,
])[] = [
  ['nothing', '', missing, missing, missing, missing],
  ['blanks', ' \t\n\u00a0\u3000\ufeff', missing, missing, missing, missing],
  ['blanks around', ' \u00a0Ada\n', '=Ada', '=Ada', '=Ada', '=Ada'],
  ['one letter', 'A', same, same, same, same],
  ['one Chinese letter', '李', same, same, same, ascii],
  ['a Chinese letter outside of the basic plane', '𠮷', same, same, same, ascii],
  ['Arabic', 'ليلى', same, same, same, ascii],
  ['Hebrew', 'רות', same, same, same, ascii],
  ['Devanagari with vowel signs', 'श्रीमती', same, same, same, ascii],
  ['an apostrophe', "O'Brien", same, same, same, same],
  ['SQL', "'; drop table loans; --", same, same, same, same],
  ['markup', '<script>alert(1)</script>', same, same, same, same],
  ['a formula', '=1+1|A', same, same, same, same],
  ['a path', '../../etc/passwd', same, same, same, same],
  ['a prototype', '__proto__', same, same, same, same],
  ['a constructor', 'constructor', same, same, same, same],
  ['null as text', 'null', same, same, same, same],
  ['a number as text', '1e3', same, same, same, same],
  ['digits alone', '12', noLetter, same, same, same],
  ['punctuation alone', '...', noLetter, same, same, same],
  ['NUL', 'a\u0000b', lineEnds, lineEnds, controls, ascii],
  ['a bell', 'a\u0007b', lineEnds, lineEnds, controls, ascii],
  ['an escape sequence', 'a\u001b[31mb', lineEnds, lineEnds, controls, ascii],
  ['a delete', 'a\u007fb', lineEnds, lineEnds, controls, ascii],
  ['a C1 control', 'a\u0085b', lineEnds, lineEnds, controls, ascii],
  ['a tab', 'a\tb', lineEnds, lineEnds, same, ascii],
  ['a line end', 'a\nb', lineEnds, lineEnds, same, ascii],
  ['a Windows line end', 'a\r\nb', lineEnds, lineEnds, '=a\nb', ascii],
  ['an old Mac line end', 'a\rb', lineEnds, lineEnds, '=a\nb', ascii],
  ['a line separator', 'a\u2028b', lineEnds, lineEnds, same, ascii],
  ['a paragraph separator', 'a\u2029b', lineEnds, lineEnds, same, ascii],
  ['a header', 'a\r\nBcc: b', lineEnds, lineEnds, '=a\nBcc: b', ascii],
  ['a lone high surrogate', 'a\ud800b', malformed, malformed, malformed, ascii],
  ['a lone low surrogate', 'a\udc00', malformed, malformed, malformed, ascii],
  ['surrogates in the wrong order', '\udc00\ud800', malformed, malformed, malformed, ascii],
  ['a noncharacter', 'a\ufffe', malformed, malformed, malformed, ascii],
  ['an override', 'a\u202eb', direction, direction, direction, ascii],
  ['an embedding', 'a\u202ab\u202c', direction, direction, direction, ascii],
  ['an isolate', 'a\u2067b\u2069', direction, direction, direction, ascii],
  ['a direction mark', 'a\u200fb', direction, direction, same, ascii],
  ['an Arabic letter mark', 'a\u061cb', direction, direction, same, ascii],
  ['zero-width spaces alone', '\u200b\u200b\u200b', invisible, invisible, notVisible, ascii],
  ['a zero-width space inside', 'a\u200bb', invisible, invisible, same, ascii],
  ['a zero-width joiner', '👩\u200d🔬', invisible, invisible, same, ascii],
  ['a byte order mark inside', 'a\ufeffb', invisible, invisible, same, ascii],
  ['a soft hyphen', 'a\u00adb', invisible, invisible, same, ascii],
  ['a word joiner', 'a\u2060b', invisible, invisible, same, ascii],
  ['a Hangul filler', '\u3164', invisible, invisible, notVisible, ascii],
  ['a blank Braille cell', '\u2800', noLetter, notVisible, notVisible, ascii],
  ['a variation selector', 'a\ufe0f', invisible, invisible, same, ascii],
  ['tag characters', 'a\u{e0061}', invisible, invisible, same, ascii],
  ['an Arabic number sign', 'a\u0600', same, same, same, ascii],
  ['an emoji', '🙂', noLetter, same, same, ascii],
  ['a letter in two parts', 'e\u0301', '=é', '=é', '=é', ascii],
  ['an Angstrom sign', '\u212b', '=Å', '=Å', '=Å', ascii],
  ['a ligature', 'ﬁ', same, same, same, ascii],
  ['a look-alike', 'Аda', same, same, same, ascii],
  ['a letter in full width', 'Ａ', same, same, same, ascii],
  ['8 accents', `a${'\u0332'.repeat(8)}`, same, same, same, ascii],
  ['9 accents', `a${'\u0332'.repeat(9)}`, accents, accents, accents, ascii],
  ['the replacement character', 'a\ufffd', same, same, same, ascii],
  ['as many letters outside of the basic plane as fit', '𠮷'.repeat(lengthMax), same, same, same, ascii],
  [
    'a letter too many',
    'a'.repeat(lengthMax + 1),
    same,
    'at most 30 characters',
    'at most 30 characters',
    'at most 30 characters',
  ],
]
