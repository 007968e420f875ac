// Reads JSON so that numbers are written again as they came: JavaScript's own would lose digits of large ones.

type Revive = (key: string, value: unknown, context: { source?: string }) => unknown
// Part of ECMAScript since 2025; the types of TypeScript's es2024 do not know it yet.
const { parse, rawJSON } = JSON as unknown as {
  parse: (text: string, revive: Revive) => unknown
  rawJSON: (text: string) => unknown
}

/** @throws when the text is no JSON */
export const parseExactly = (text: string): unknown =>
  parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value,
  )
