// Regular expressions of filters match as in .NET, or are refused with a reason (compared with EventStoreDB 24.6 where marked).
import { expect, test } from 'vitest'
import { createMatcher, UnusableRegex } from '../src/streams/regex/match.ts'
import { parseRegex } from '../src/streams/regex/parse.ts'

type Row = readonly [expression: string, matching: readonly string[], others?: readonly string[]]

const asObserved: readonly Row[] = [
  ['^order-\\w', ['order-ü']],
  ['^order-\\w$', ['order-ü', 'order-a\n'], ['order-üa', 'order--']],
  ['\\p{L}$', ['order-ü'], ['order-1']],
  ['\\Aorder', ['order-ü'], ['my-order']],
  ['order-ü\\Z', ['order-ü', 'order-ü\n'], ['order-ü1']],
  ['order-ü\\z', ['order-ü'], ['order-ü\n']],
  ['\\bü', ['order-ü'], ['orderü']],
  ['\\Gorder', ['order-ü'], ['my-order']],
  ['[a-z-[aeiou]]rder', ['trder'], ['order-ü']],
  ['order-[^\\w]', ['order--'], ['order-ü', 'order-a']],
  ['(?x) order # a comment', ['order-ü'], ['rder']],
  ['(?#c)order', ['order-ü']],
  ['(?n)(o)rder', ['order-ü']],
  ['(?-i)order', ['order-ü'], ['ORDER']],
  ['(?i)ORDER-Ü', ['order-ü', 'Order-Ü'], ['order-u']],
  ['(?i:ORDER)', ['order-ü']],
  ['(?<n>o)rder', ['order-ü']],
  ["(?'n'o)rder", ['order-ü']],
  ['(?<!x)order', ['order-ü'], ['xorder']],
  ['(?=o)order', ['order-ü']],
  ['\\e|order', ['order-ü', '\u001b'], ['e']],
  ['\\x6frder', ['order-ü']],
  ['\\u006frder', ['order-ü']],
  ['^order-\\S$', ['order-ü'], ['order- ', 'order-\u2003']],
]

const asDotNetDocuments: readonly Row[] = [
  ['^[^$].*', ['order', 'a$'], ['$all', '']],
  ['^(?!\\$).*', ['order'], ['$all']],
  ['\\d', ['7', '٣'], ['x', '²']],
  ['^\\D+$', ['x'], ['٣']],
  ['\\s', ['a\u0085b', '\u00a0'], ['\ufeff']],
  ['\\W', ['-', '\u200d'], ['ü', '_', '7']],
  ['a\\Bü', ['aü'], ['a-ü']],
  ['^[\\w-]+$', ['ü-1'], ['ü 1']],
  ['^[\\p{Lu}\\d]$', ['Ü', '٣'], ['ü']],
  ['^\\P{Lu}$', ['ü'], ['Ü']],
  ['(?i)^\\p{Lu}$', ['Ü', 'ü', 'ǅ'], ['1', 'ʰ']],
  ['(?i)^[\\P{Ll}]$', ['1'], ['Ü', 'ü']],
  ['(?i)^k$', ['K', '\u212a'], ['x']],
  ['(?i)^i$', ['I'], ['İ', 'ı']],
  ['(?i)^[σß]$', ['Σ', 'ẞ'], ['ς', 's']],
  ['(?i)^[^a]$', ['b'], ['a', 'A']],
  ['(?i)^[a-c-[b]]$', ['a', 'C'], ['b', 'B']],
  ['^[^a-c-[x]]$', ['y'], ['a', 'x']],
  ['a(?i)b(?-i)c', ['abc', 'aBc'], ['Abc', 'abC']],
  ['a(?i:b)c|D', ['aBc', 'D'], ['ABc', 'd']],
  ['((?i)a)b', ['Ab'], ['AB']],
  ['^.$', ['a', '\r', '\u2028'], ['\n', '\u{1f600}']],
  ['^..$', ['\u{1f600}']],
  ['(?s)^.$', ['\n']],
  ['a$', ['a', 'a\n', 'ba'], ['a\nb', 'a\r']],
  ['(?m)^b', ['a\nb'], ['a\rb']],
  ['(?m)a$', ['a\nb'], ['a\rb']],
  ['[]a]', [']', 'a'], ['b']],
  ['[^]a]', ['b'], [']', 'a']],
  ['[a-]', ['-', 'a'], ['b']],
  ['[[a]', ['[', 'a'], ['b']],
  ['^[\\]\\-\\\\]$', [']', '-', '\\'], ['a']],
  ['^[\\101\\b]$', ['A', '\b'], ['b', '1']],
  ['^a{,2}$', ['a{,2}'], ['aa']],
  ['^a{2}b{1,}c{0,1}?$', ['aab', 'aabbc'], ['ab']],
  ['a]b}', ['a]b}']],
  ['\\cA\\.\\-\\ \\/', ['\u0001.- /']],
  ['(?x)a\\ b [ ] c', ['a b c'], ['abc']],
  ['', ['', 'a']],
  ['(?x)^a* ?b\v$', ['b\v'], ['b']],
  ['^a*(?#lazy)?b$', ['aab']],
  ['(?<größe>x)', ['x']],
  ['(?=a)*^*b', ['b']],
  ['(?i-m+s)^a.b$', ['A\nB'], ['\nA.B']],
  ['(?<=(?<!x)a)b', ['ab'], ['xab', 'b']],
  ['a(?=b(?!c))', ['abd', 'ab'], ['abc']],
  ['(?<=a{2,})b$', ['aaab'], ['ab']],
  ['^(?:)*$', [''], ['a']],
  ['(){1000000000}a', ['a']],
  ['^(?:a|b?)*c$', ['abac', 'c'], ['ad']],
  ['^(?:ab|a)(?:c|bcd)$', ['abc', 'abcd', 'ac'], ['abcdd']],
  ['^(?:a{2}|b){1,2}$', ['aab', 'b', 'aaaa'], ['a', 'bbb', '']],
]

const rows = [...asObserved, ...asDotNetDocuments].map(([expression, matching, others = []]) => ({
  expression,
  matching,
  others,
}))

test.each(rows)('$expression matches as in .NET', ({ expression, matching, others }) => {
  const matches = createMatcher(parseRegex(expression))
  const isMatch = (name: string) => matches(name, { steps: 0 })
  expect(matching.filter((name) => !isMatch(name))).toEqual([])
  expect(others.filter(isMatch)).toEqual([])
})

test.each([
  // .NET refuses these as well.
  ['\\order', '"\\o" is no escape sequence.'],
  ['\\_order', '"\\_" is no escape sequence.'],
  ['\\ü', '"\\ü" is no escape sequence.'],
  ['(', 'A "(" is not closed.'],
  ['a)', 'A ")" closes nothing.'],
  ['[', 'A "[" is not closed.'],
  ['[]', 'A "[" is not closed.'],
  ['*a', 'A quantifier follows nothing.'],
  ['a**', 'A quantifier follows nothing.'],
  ['a(?i)*', 'A quantifier follows nothing.'],
  ['a*+', 'A quantifier follows nothing.'],
  ['a{2,1}', "A quantifier's numbers are in reverse order."],
  ['(?)a', 'Groups with "(?)" are not supported.'],
  ['(?<0>a)', 'Groups with "(?<" are not supported.'],
  ['\\cı', '"\\cı" is no escape sequence.'],
  ['\\<größe>', 'Back references are not supported.'],
  ['[z-a]', 'A range of characters is in reverse order.'],
  ['[a-\\w]', 'A range of characters cannot end with a class.'],
  ['[a-[b]c]', 'A class to subtract comes last.'],
  ['\\p{Letter}', 'There is no category Letter.'],
  ['\\pL', '"\\p" is followed by the name of a category, such as {Lu}.'],
  ['\\u{41}', 'An escape needs 4 hexadecimal digits.'],
  ['a\\', 'The expression ends with a backslash.'],
  // .NET supports these.
  ['\\p{IsBasicLatin}rder', 'Blocks such as IsBasicLatin are not supported. Write a range, such as [\\u0000-\\u007F].'],
  ['(a)\\1', 'Back references are not supported.'],
  ['(?<n>a)\\k<n>', 'Back references are not supported.'],
  ['(?>order)', 'Groups with "(?>" are not supported.'],
  ['o(?(?=r)r|x)der', 'Groups with "(?(" are not supported.'],
  ['(?<a-b>x)', 'Groups with "(?<" are not supported.'],
  ['(a{100}){100}', 'It is too large: groups that are repeated count as often.'],
  ['('.repeat(101), 'Groups are nested more than 100 deep.'],
  ['[a]'.repeat(101), 'It has more than 100 classes of characters.'],
])('%s is refused', (expression, why) => {
  expect(() => createMatcher(parseRegex(expression))).toThrow(new UnusableRegex(why))
})

const long = 'a'.repeat(2_000)

test.each(['^(a+)+$', '(a|a)*b', '^(a|aa)*$', '(?:.*a){20}b', '(?=(a*)*b)', '(?<=(a|a)*b)'])(
  '%s takes a number of steps proportional to the length of the name',
  (expression) => {
    const work = { steps: 0 }
    expect(createMatcher(parseRegex(expression))(`${long}!`, work)).toBe(false)
    expect(work.steps).toBeLessThan(100 * long.length)
  },
)
