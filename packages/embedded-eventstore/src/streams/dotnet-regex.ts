// Translates .NET's regular expressions, as EventStoreDB's filters have them, into JavaScript ones that match the same names.

/** The expression is one that .NET refuses, or one that cannot be translated. */
export class UntranslatableRegex extends Error {}

const codeUnits = 0x1_0000
/** A shorthand such as `\w` becomes a list of all its characters. */
const translationMaxCharacters = 200_000

// Both engines match UTF-16 code units here: without the flag `u`, which would match whole code points, as .NET never does.
/** A byte for each code unit. */
type CharacterSet = Uint8Array

const setWhere = (has: (code: number) => boolean): CharacterSet =>
  Uint8Array.from({ length: codeUnits }, (_, code) => (has(code) ? 1 : 0))
const without = (set: CharacterSet, other: CharacterSet): CharacterSet =>
  set.map((has, code) => (other[code] ? 0 : has))
const complement = (set: CharacterSet): CharacterSet => set.map((has) => 1 - has)

const remembering = <Value>(make: (key: string) => Value): ((key: string) => Value) => {
  const known = new Map<string, Value>()
  return (key) => {
    const value = known.get(key) ?? make(key)
    known.set(key, value)
    return value
  }
}

/** What a class of JavaScript's, with the flag `u`, matches. */
const classOf = remembering((source: string): CharacterSet => {
  const regex = new RegExp(`[${source}]`, 'u')
  return setWhere((code) => regex.test(String.fromCharCode(code)))
})

const categories = new Set(
  'L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Cs Co Cn'.split(' '),
)
const word = '\\p{L}\\p{Mn}\\p{Nd}\\p{Pc}'
/** At the edges of words zero-width joiners count as letters. */
const boundaryWord = `${word}\\u200c\\u200d`
const shorthands: Readonly<Record<string, string>> = { w: word, d: '\\p{Nd}', s: '\\t-\\r\\x85\\p{Z}' }
const isShorthand = (letter: string): boolean => letter.toLowerCase() in shorthands
const shorthandOf = (letter: string): CharacterSet => {
  const set = classOf(shorthands[letter.toLowerCase()] ?? '')
  return letter === letter.toLowerCase() ? set : complement(set)
}

/** Code units that differ in case only. */
const casings = remembering((): ReadonlyMap<number, readonly number[]> => {
  const same = new Map<number, number[]>()
  for (let code = 0; code < codeUnits; code++) {
    const lower = String.fromCharCode(code).toLowerCase()
    const lowerCode = lower.charCodeAt(0)
    if (lower.length > 1 || lowerCode === code) continue
    const all = same.get(lowerCode) ?? [lowerCode]
    all.push(code)
    for (const each of all) same.set(each, all)
  }
  return same
})

const writeUnit = (code: number): string =>
  code < 0x80 ? `\\u${code.toString(16).padStart(4, '0')}` : String.fromCharCode(code)

const writeSet = (set: CharacterSet): string => {
  let text = ''
  for (let from = set.indexOf(1); from >= 0; ) {
    const after = set.indexOf(0, from)
    const last = (after < 0 ? codeUnits : after) - 1
    text += from === last ? writeUnit(from) : `${writeUnit(from)}-${writeUnit(last)}`
    from = set.indexOf(1, last + 1)
  }
  return `[${text}]`
}
const writeShorthand = remembering((letter) => writeSet(shorthandOf(letter)))

const boundary = remembering((letter) => {
  const inside = writeSet(classOf(boundaryWord))
  return letter === 'b'
    ? `(?:(?<=${inside})(?!${inside})|(?<!${inside})(?=${inside}))`
    : `(?:(?<=${inside})(?=${inside})|(?<!${inside})(?!${inside}))`
})

const endOfText = '(?=\\n?$)'
const anchors: Readonly<Record<string, string>> = { A: '^', G: '^', Z: endOfText, z: '$' }
const controls: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 }
const lookarounds = ['=', '!', '<=', '<!', ':']
const quantifierAt = /(?:[*+?]|\{\d+(?:,\d*)?\})\??/y
const groupNameAt = /<(?:[A-Za-z_]\w*|[1-9]\d*)>|'(?:[A-Za-z_]\w*|[1-9]\d*)'/y
const optionsAt = /([imnsx]*)(?:-([imnsx]*))?([:)])/iy
const backReferenceAt = /k|[1-9]|<\w+>|'\w+'/y
const propertyAt = /\{([\w-]+)\}/y
const octalAt = /[0-7]{1,3}/y
const blanksAt = /(?:[\t-\r ]|#[^\n]*)*/y

type Options = Record<'i' | 'm' | 's' | 'x', boolean>

const refuse = (why: string): never => {
  throw new UntranslatableRegex(why)
}

/** @throws UntranslatableRegex */
export const translateRegex = (pattern: string): string => {
  let at = 0

  const take = (sticky: RegExp): RegExpExecArray | undefined => {
    sticky.lastIndex = at
    const found = sticky.exec(pattern) ?? undefined
    if (found) at = sticky.lastIndex
    return found
  }
  const takeText = (text: string): boolean => {
    if (!pattern.startsWith(text, at)) return false
    at += text.length
    return true
  }
  const takeHex = (digits: number): number => {
    const text = pattern.slice(at, at + digits)
    if (text.length < digits || !/^[0-9a-f]+$/i.test(text)) refuse(`An escape needs ${digits} hexadecimal digits.`)
    at += digits
    return Number.parseInt(text, 16)
  }

  /** After a backslash, in a class or outside of one. */
  const characterEscape = (): number => {
    const octal = take(octalAt)
    if (octal) return Number.parseInt(octal[0], 8) & 0xff
    const letter = pattern[at++] ?? refuse('The expression ends with a backslash.')
    if (letter === 'x') return takeHex(2)
    if (letter === 'u') return takeHex(4)
    const control = letter === 'c' ? (pattern[at++] ?? '').toUpperCase() : ''
    if (/^[@-_]$/.test(control)) return control.charCodeAt(0) - 0x40
    const code = letter.charCodeAt(0)
    if (letter === 'c' || (controls[letter] === undefined && classOf(boundaryWord)[code])) {
      refuse(`"\\${letter}${control}" is no escape sequence.`)
    }
    return controls[letter] ?? code
  }

  const property = (letter: string): CharacterSet => {
    const name = take(propertyAt)?.[1] ?? refuse(`"\\${letter}" is followed by the name of a category, such as {Lu}.`)
    if (name.startsWith('Is'))
      refuse(`Blocks such as ${name} are not supported. Write a range, such as [\\u0000-\\u007F].`)
    if (!categories.has(name)) refuse(`There is no category ${name}.`)
    const set = classOf(`\\p{${name}}`)
    return letter === 'p' ? set : complement(set)
  }

  /** After "[". As .NET reads it: a "]" that comes first is a character, and a class may end with one to subtract. */
  const characterClass = (options: Options): CharacterSet => {
    const set: CharacterSet = new Uint8Array(codeUnits)
    const isNegated = takeText('^')
    let subtracted: CharacterSet | undefined
    let rangeFrom: number | undefined
    const add = (from: number, to: number): void => {
      if (from > to) refuse('A range of characters is in reverse order.')
      for (let code = from; code <= to; code++) {
        set[code] = 1
        if (options.i) for (const same of casings('').get(code) ?? []) set[same] = 1
      }
    }
    const addSet = (other: CharacterSet): void => {
      if (rangeFrom !== undefined) refuse('A range of characters cannot end with a class.')
      for (let code = other.indexOf(1); code >= 0; code = other.indexOf(1, code + 1)) set[code] = 1
    }
    const subtract = (): void => {
      subtracted = characterClass(options)
      if (at < pattern.length && pattern[at] !== ']') refuse('A class to subtract comes last.')
    }
    for (let isFirst = true; ; isFirst = false) {
      const character = pattern[at++] ?? refuse('A "[" is not closed.')
      if (character === ']' && !isFirst) break
      const letter = character === '\\' ? (pattern[at] ?? '') : ''
      if (letter !== '' && 'pPwWdDsS'.includes(letter)) {
        at++
        addSet(isShorthand(letter) ? shorthandOf(letter) : property(letter))
        continue
      }
      const isEscaped = letter !== ''
      const code = isEscaped ? characterEscape() : character.charCodeAt(0)
      if (rangeFrom !== undefined) {
        if (character === '[') {
          add(rangeFrom, rangeFrom)
          subtract()
        } else add(rangeFrom, code)
        rangeFrom = undefined
      } else if (letter !== '-' && pattern[at] === '-' && at + 1 < pattern.length && pattern[at + 1] !== ']') {
        rangeFrom = code
        at++
      } else if (character === '-' && pattern[at] === '[' && !isFirst) {
        at++
        subtract()
      } else add(code, code)
    }
    const base = isNegated ? complement(set) : set
    return subtracted ? without(base, subtracted) : base
  }

  const literal = (code: number, { i }: Options): string => {
    const same = i ? casings('').get(code) : undefined
    return same ? `[${same.map(writeUnit).join('')}]` : writeUnit(code)
  }

  const escaped = (options: Options): string => {
    if (take(backReferenceAt)) refuse('Back references are not supported.')
    const letter = pattern[at] ?? ''
    const anchor = anchors[letter]
    if (anchor === undefined && !'bBpP'.includes(letter || ' ') && !isShorthand(letter))
      return literal(characterEscape(), options)
    at++
    if (anchor !== undefined) return anchor
    if (letter === 'b' || letter === 'B') return boundary(letter)
    return isShorthand(letter) ? writeShorthand(letter) : writeSet(property(letter))
  }

  const skipBlanks = ({ x }: Options): void => {
    for (;;) {
      if (x) take(blanksAt)
      if (!takeText('(?#')) return
      const end = pattern.indexOf(')', at)
      if (end < 0) refuse('A comment is not closed.')
      at = end + 1
    }
  }

  /** After "(". No group captures, as nothing refers back. */
  const group = (options: Options): string => {
    if (!takeText('?') || take(groupNameAt)) return `(?:${alternatives({ ...options }, true)})`
    const lookaround = lookarounds.find(takeText)
    if (lookaround !== undefined) return `(?${lookaround}${alternatives({ ...options }, true)})`
    const [, on = '', off = '', end] =
      take(optionsAt) ?? refuse(`Groups with "(?${pattern[at] ?? ''}" are not supported.`)
    const changed = { ...options }
    for (const letter of on.toLowerCase()) if (letter in changed) changed[letter as keyof Options] = true
    for (const letter of off.toLowerCase()) if (letter in changed) changed[letter as keyof Options] = false
    if (end === ':') return `(?:${alternatives(changed, true)})`
    Object.assign(options, changed)
    return ''
  }

  const atom = (options: Options): string => {
    if (take(quantifierAt)) refuse('A quantifier follows nothing.')
    const character = pattern[at++] as string
    switch (character) {
      case '^':
        return options.m ? '(?<![^\\n])' : '^'
      case '$':
        return options.m ? '(?![^\\n])' : endOfText
      case '.':
        return options.s ? '[^]' : '[^\\n]'
      case '[':
        return writeSet(characterClass(options))
      case '(':
        return group(options)
      case '\\':
        return escaped(options)
      default:
        return literal(character.charCodeAt(0), options)
    }
  }

  /** Up to the end of the group. Options that are set in it hold until then. */
  const alternatives = (options: Options, isGroup: boolean): string => {
    let text = ''
    for (;;) {
      skipBlanks(options)
      if (at >= pattern.length) return isGroup ? refuse('A "(" is not closed.') : text
      if (pattern[at] === ')') {
        if (!isGroup) refuse('A ")" closes nothing.')
        at++
        return text
      }
      if (takeText('|')) {
        text += '|'
        continue
      }
      const found = atom(options)
      text += found
      if (found === '') continue
      skipBlanks(options)
      text += take(quantifierAt)?.[0] ?? ''
      if (text.length > translationMaxCharacters) refuse('It has too many classes of characters.')
    }
  }

  return alternatives({ i: false, m: false, s: false, x: false }, false)
}
