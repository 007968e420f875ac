// Parses JSON so that numbers are written back unchanged: plain JavaScript loses digits of large ones.

type Revive = (key: string, value: unknown, context: { source?: string }) => unknown
// Part of ECMAScript since 2025, but not of TypeScript's es2024 types.
const { parse, rawJSON } = JSON as unknown as {
  parse: (text: string, revive: Revive) => unknown
  rawJSON: (text: string) => unknown
}

/** @throws when the text is not JSON */
export const parseExactly = (text: string): unknown =>
  parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value,
  )
