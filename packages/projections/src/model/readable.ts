// Replaces text in stored events that databases refuse: earlier versions accepted any text.
import type { StoredEvent } from '@headwater/eventstore/codec'

const replacement = '\ufffd'

/** U+FFFD stands for NUL, which Postgres refuses, and for halves of surrogate pairs, which UTF-8 does not have. */
export const readableText = (text: string): string =>
  text.isWellFormed() && !text.includes('\0') ? text : text.toWellFormed().replaceAll('\0', replacement)

/** Returns the same value when it holds no such text. */
const readable = <T>(value: T): T => {
  if (typeof value === 'string') return readableText(value) as T
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items = value.map(readable)
    return items.every((item, n) => item === value[n]) ? value : (items as T)
  }
  const entries = Object.entries(value)
  const made = entries.map(([name, of]) => [readableText(name), readable(of)] as const)
  return made.every(([name, of], n) => name === entries[n]?.[0] && of === entries[n]?.[1])
    ? value
    : (Object.fromEntries(made) as T)
}

/** Returns the same event when it holds no such text. */
export const readableEvent = (event: StoredEvent): StoredEvent => {
  const { stream, type, data, metadata } = event
  const made = {
    stream: readableText(stream),
    type: readableText(type),
    data: readable(data),
    metadata: readable(metadata),
  }
  const isSame = made.stream === stream && made.type === type && made.data === data && made.metadata === metadata
  return isSame ? event : { ...event, ...made }
}
