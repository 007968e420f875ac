// What a service tells about itself: structured logs without personal data, and the trace it is part of (W3C Trace Context).
import { randomUUID } from 'node:crypto'
import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

// What holds personal fields or secrets is never logged, whoever passes it; the rest of the log line stays.
const neverLogged = ['headers', 'body', 'data', 'row', 'rows', 'address', 'nationalId', 'email', 'reason', 'purpose']

export const createLogger = (
  { service, level }: { service: string; level: string },
  destination: DestinationStream = pino.destination(1),
): Logger =>
  pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: neverLogged.flatMap((field) => [field, `*.${field}`]),
    },
    destination,
  )

const traceparentText = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-([\da-f]{2})(?:-.*)?$/
const sampled = '01'

/** As ids of traces and spans: 32 hexadecimal digits. Unlike `randomBytes`, it asks the system for many at a time. */
const randomHex = (): string => randomUUID().replaceAll('-', '')

/** The `traceparent` of a new span: of the caller's trace when `header` names one, else of a trace that begins here. */
export const nextTraceparent = (header: string | string[] | undefined): string => {
  const [, traceId = randomHex(), flags = sampled] = (header && traceparentText.exec(String(header))) || []
  return `00-${traceId}-${randomHex().slice(16)}-${flags}`
}

/** The id of the trace that a `traceparent` belongs to: it finds all that followed from one request. */
export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35)
