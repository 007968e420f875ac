// One entry of the tables: a message of the protocol, with the property that our codec and the client's generated code agree on it.
import fc from 'fast-check'
import { expect } from 'vitest'
import { unknownField, withExtra } from './values.ts'

export type Entry = {
  readonly name: string
  readonly property: fc.IRawProperty<unknown>
  /** Messages that a client may send; undefined for an answer. */
  readonly sent?: fc.Arbitrary<Uint8Array>
}

/** Expected of a decoder for an invalid request: it throws. */
export const refused = Symbol('refused')

const outcome = (decode: () => unknown): unknown => {
  try {
    return decode()
  } catch (error) {
    if (error instanceof Error) return refused
    throw error
  }
}

type Request<Value> = {
  readonly name: string
  readonly values: fc.Arbitrary<Value>
  /** By the generated code. */
  readonly encode: (value: Value) => Uint8Array
  /** By ours. */
  readonly decode: (bytes: Uint8Array) => unknown
  readonly expected: (value: Value) => unknown
  /** Paths of field numbers to nested messages, which may contain unknown fields. */
  readonly nested: readonly (readonly number[])[]
}

/** A message from clients: `decode` returns the value, with and without unknown fields. */
export const request = <Value>({ name, values, encode, decode, expected, nested }: Request<Value>): Entry => ({
  name,
  sent: values.map(encode),
  property: fc.property(
    values,
    fc.array(fc.tuple(fc.constantFrom([], ...nested), unknownField), { maxLength: 3 }),
    (value, extras) => {
      const message = extras.reduce((given, [path, extra]) => withExtra(given, path, extra), encode(value))
      const found = outcome(() => decode(message))
      expect(found).toEqual(expected(value))
    },
  ) as fc.IRawProperty<unknown>,
})

type Message = { serializeBinary(): Uint8Array; toObject(): unknown }
type Answer<Value> = {
  readonly name: string
  readonly values: fc.Arbitrary<Value>
  /** By ours. */
  readonly encode: (value: Value) => Uint8Array
  /** By the generated code, like the expected message. */
  readonly decode: (bytes: Uint8Array) => Message
  readonly expected: (value: Value) => Message
}

const contentOf = (message: Message) => ({
  // Plain objects of the generated code do not distinguish unset from zero.
  set: Buffer.from(message.serializeBinary()).toString('hex'),
  object: message.toObject(),
})

/** A message to clients: they read the value from it. */
export const answer = <Value>({ name, values, encode, decode, expected }: Answer<Value>): Entry => ({
  name,
  property: fc.property(values, (value) => {
    expect(contentOf(decode(encode(value)))).toEqual(contentOf(expected(value)))
  }) as fc.IRawProperty<unknown>,
})
