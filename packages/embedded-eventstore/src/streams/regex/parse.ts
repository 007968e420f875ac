// Parses .NET regular expressions of EventStoreDB filters, and refuses those that cannot be matched as .NET does.
import {
  boundaryWord,
  type CharacterSet,
  casings,
  categories,
  charactersOf,
  charactersOfShorthand,
  classOf,
  codeUnits,
  complement,
  isShorthand,
  shorthandOf,
  without,
} from './characters.ts'
import { type Characters, type Regex, UnusableRegex } from './match.ts'

const classesMax = 100
const groupDepthMax = 100

const isWordAt = (text: string, at: number): boolean => classOf(boundaryWord)[text.charCodeAt(at)] === 1
const isBoundary = (text: string, at: number): boolean => isWordAt(text, at - 1) !== isWordAt(text, at)
const isStart = (_: string, at: number): boolean => at === 0
const isEnd = (text: string, at: number): boolean => at === text.length
const isEndOrLastBreak = (text: string, at: number): boolean =>
  isEnd(text, at) || (at === text.length - 1 && text[at] === '\n')
const isLineStart = (text: string, at: number): boolean => at === 0 || text[at - 1] === '\n'
const isLineEnd = (text: string, at: number): boolean => isEnd(text, at) || text[at] === '\n'

const place = (holds: (text: string, at: number) => boolean): Regex => ({ kind: 'place', holds })
const character = (of: Characters): Regex => ({ kind: 'character', of })

const anchors: Readonly<Record<string, Regex>> = {
  A: place(isStart),
  G: place(isStart),
  Z: place(isEndOrLastBreak),
  z: place(isEnd),
  b: place(isBoundary),
  B: place((text, at) => !isBoundary(text, at)),
}
const anything = character(Uint16Array.of(0, codeUnits - 1))
const noBreak = character(Uint16Array.of(0, 9, 11, codeUnits - 1))
const controls: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 }
const lookarounds: Readonly<Record<string, Pick<Extract<Regex, { kind: 'look' }>, 'isAhead' | 'isWanted'>>> = {
  '=': { isAhead: true, isWanted: true },
  '!': { isAhead: true, isWanted: false },
  '<=': { isAhead: false, isWanted: true },
  '<!': { isAhead: false, isWanted: false },
}
const lookaroundAt = /<?[=!]/y
const quantifierAt = /([*+?])|\{(\d+)(,(\d*))?\}/y
const groupName = `(?:[1-9]\\d*|(?!\\d)[${boundaryWord}]+)`
const groupNameAt = new RegExp(`<${groupName}>|'${groupName}'`, 'uy')
const backReferenceAt = new RegExp(`k|[1-9]|[<'][${boundaryWord}]`, 'uy')
const optionsAt = /([-+imnsx]+)([:)])/iy
const propertyAt = /\{([\w-]+)\}/y
const controlAt = /[@-_a-z]/y
const octalAt = /[0-7]{1,3}/y
const blanksAt = /(?:[\t\n\f\r ]|#[^\n]*)*/y

type Options = Record<'i' | 'm' | 's' | 'x', boolean>

const refuse = (why: string): never => {
  throw new UnusableRegex(why)
}

/** @throws UnusableRegex */
export const parseRegex = (pattern: string): Regex => {
  let at = 0
  let classes = 0
  let groupDepth = 0

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
    if (letter === 'c') {
      const control = take(controlAt)?.[0] ?? refuse(`"\\c${pattern[at] ?? ''}" is no escape sequence.`)
      return control.toUpperCase().charCodeAt(0) - 0x40
    }
    const code = letter.charCodeAt(0)
    if (controls[letter] === undefined && classOf(boundaryWord)[code]) refuse(`"\\${letter}" is no escape sequence.`)
    return controls[letter] ?? code
  }

  const property = (letter: string, { i }: Options): CharacterSet => {
    const name = take(propertyAt)?.[1] ?? refuse(`"\\${letter}" is followed by the name of a category, such as {Lu}.`)
    if (name.startsWith('Is'))
      refuse(`Blocks such as ${name} are not supported. Write a range, such as [\\u0000-\\u007F].`)
    if (!categories.has(name)) refuse(`There is no category ${name}.`)
    const set = classOf(i && /^L[ult]$/.test(name) ? '\\p{Lu}\\p{Ll}\\p{Lt}' : `\\p{${name}}`)
    return letter === 'p' ? set : complement(set)
  }

  /** After "[". As in .NET, a leading "]" is a character, and a class may end with a class to subtract. */
  const characterClass = (options: Options): CharacterSet => {
    if (++classes > classesMax) refuse(`It has more than ${classesMax} classes of characters.`)
    const set: CharacterSet = new Uint8Array(codeUnits)
    const named: CharacterSet[] = []
    const isNegated = takeText('^')
    let subtracted: CharacterSet | undefined
    let rangeFrom: number | undefined
    const add = (from: number, to: number): void => {
      if (from > to) refuse('A range of characters is in reverse order.')
      set.fill(1, from, to + 1)
    }
    const subtract = (): void => {
      subtracted = characterClass(options)
      if (at < pattern.length && pattern[at] !== ']') refuse('A class to subtract comes last.')
    }
    for (let isFirst = true; ; isFirst = false) {
      const next = pattern[at++] ?? refuse('A "[" is not closed.')
      if (next === ']' && !isFirst) break
      const letter = next === '\\' ? (pattern[at] ?? '') : ''
      if (letter !== '' && 'pPwWdDsS'.includes(letter)) {
        at++
        if (rangeFrom !== undefined) refuse('A range of characters cannot end with a class.')
        named.push(isShorthand(letter) ? shorthandOf(letter) : property(letter, options))
        continue
      }
      const code = letter !== '' ? characterEscape() : next.charCodeAt(0)
      if (rangeFrom !== undefined) {
        if (next === '[') {
          add(rangeFrom, rangeFrom)
          subtract()
        } else add(rangeFrom, code)
        rangeFrom = undefined
      } else if (letter !== '-' && pattern[at] === '-' && at + 1 < pattern.length && pattern[at + 1] !== ']') {
        rangeFrom = code
        at++
      } else if (next === '-' && pattern[at] === '[' && !isFirst) {
        at++
        subtract()
      } else add(code, code)
    }
    if (options.i) {
      for (const same of new Set(casings('').values()))
        if (same.some((code) => set[code])) for (const code of same) set[code] = 1
    }
    for (const each of named) for (const [code, has] of each.entries()) if (has) set[code] = 1
    const base = isNegated ? complement(set) : set
    return subtracted ? without(base, subtracted) : base
  }

  const literal = (code: number, { i }: Options): Regex => {
    const same = (i && casings('').get(code)) || [code]
    return character(Uint16Array.from(same.toSorted((one, other) => one - other).flatMap((each) => [each, each])))
  }

  const escaped = (options: Options): Regex => {
    if (take(backReferenceAt)) refuse('Back references are not supported.')
    const letter = pattern[at] ?? ''
    const anchor = anchors[letter]
    if (anchor === undefined && letter !== 'p' && letter !== 'P' && !isShorthand(letter))
      return literal(characterEscape(), options)
    at++
    if (anchor !== undefined) return anchor
    return character(isShorthand(letter) ? charactersOfShorthand(letter) : charactersOf(property(letter, options)))
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

  /** After "(". Groups do not capture, because back references are refused. Undefined when the group only sets options. */
  const group = (options: Options): Regex | undefined => {
    if (!takeText('?') || take(groupNameAt) || takeText(':')) return alternatives({ ...options }, true)
    const lookaround = lookarounds[take(lookaroundAt)?.[0] ?? '']
    if (lookaround) return { kind: 'look', ...lookaround, part: alternatives({ ...options }, true) }
    const [, letters = '', end] = take(optionsAt) ?? refuse(`Groups with "(?${pattern[at] ?? ''}" are not supported.`)
    const changed = { ...options }
    let isOn = true
    for (const letter of letters.toLowerCase()) {
      if (letter === '-' || letter === '+') isOn = letter === '+'
      else if (letter in changed) changed[letter as keyof Options] = isOn
    }
    if (end === ':') return alternatives(changed, true)
    Object.assign(options, changed)
    return undefined
  }

  const atom = (options: Options): Regex | undefined => {
    if (take(quantifierAt)) refuse('A quantifier follows nothing.')
    const next = pattern[at++] as string
    switch (next) {
      case '^':
        return place(options.m ? isLineStart : isStart)
      case '$':
        return place(options.m ? isLineEnd : isEndOrLastBreak)
      case '.':
        return options.s ? anything : noBreak
      case '[':
        return character(charactersOf(characterClass(options)))
      case '(':
        return group(options)
      case '\\':
        return escaped(options)
      default:
        return literal(next.charCodeAt(0), options)
    }
  }

  /** Lazy and greedy repetitions match the same texts. */
  const repeated = (part: Regex, options: Options): Regex => {
    skipBlanks(options)
    const found = take(quantifierAt)
    if (!found) return part
    skipBlanks(options)
    takeText('?')
    const [, sign, from, upTo, to] = found
    const least = sign ? (sign === '+' ? 1 : 0) : Number(from)
    const most = sign
      ? sign === '?'
        ? 1
        : Number.POSITIVE_INFINITY
      : Number(to || (upTo ? Number.POSITIVE_INFINITY : from))
    if (least > most) refuse("A quantifier's numbers are in reverse order.")
    return { kind: 'repeated', part, least, most }
  }

  /** Up to the end of the group. Options that are set in it hold until then. */
  const alternatives = (options: Options, isGroup: boolean): Regex => {
    if (++groupDepth > groupDepthMax) refuse(`Groups are nested more than ${groupDepthMax} deep.`)
    let parts: Regex[] = []
    const ways: Regex[] = [{ kind: 'sequence', parts }]
    for (;;) {
      skipBlanks(options)
      if (at >= pattern.length && isGroup) refuse('A "(" is not closed.')
      if (pattern[at] === ')' && !isGroup) refuse('A ")" closes nothing.')
      if (at >= pattern.length || takeText(')')) {
        groupDepth--
        return ways.length === 1 ? (ways[0] as Regex) : { kind: 'either', parts: ways }
      }
      if (takeText('|')) {
        parts = []
        ways.push({ kind: 'sequence', parts })
        continue
      }
      const found = atom(options)
      if (found) parts.push(repeated(found, options))
    }
  }

  return alternatives({ i: false, m: false, s: false, x: false }, false)
}
