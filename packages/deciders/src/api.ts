// Describes the HTTP API of a context: its service makes routes from it, the gateway forwards and documents it, the pages call it.
import { z } from 'zod'
import { uuid } from './fields.ts'
import type { Rules } from './policy.ts'

/** A command: `POST` to `path`. */
export type ApiCommand = {
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly rules: Rules
  /** The schema of the body; the service adds IDs, time, actor and outside facts. */
  readonly input: z.ZodType
  /** True when the command creates a resource, then found at `path`/id; other commands name an existing one. */
  readonly creates?: true
  /** Sent only by the gateway, on behalf of a person; not part of the public API. */
  readonly internal?: true
}

/** A query, or a request without an event of the context. */
export type ApiQuery = {
  /** `GET` by default. */
  readonly method?: 'POST'
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly rules: Rules
  /** By default a UUID named `id`, if the path has one. */
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly headers?: z.ZodType
  readonly body?: z.ZodType
  readonly answer: z.ZodType
  /** 200 by default. */
  readonly status?: 201 | 202
  /** The media type of an answer other than JSON. */
  readonly mediaType?: string
  /** Statuses besides those that follow from the rules, with their meaning. */
  readonly refusals?: Readonly<Record<number, string>>
}

/** A live query. */
export type ApiTopic = { readonly rules: Rules; readonly filter: z.ZodType }

export type Api = {
  /** By operation id. */
  readonly commands: Readonly<Record<string, ApiCommand>>
  readonly queries: Readonly<Record<string, ApiQuery>>
  readonly topics: Readonly<Record<string, ApiTopic>>
  /** HTTP statuses of the context's rejections; 409 by default. */
  readonly statuses: Readonly<Record<string, number>>
}

export const api = <const Described extends Api>(described: Described): Described => described

const idParameter = z.object({ id: uuid })

/** The schema of the parameters in a path, if it has any. */
export const paramsOf = ({ path, params }: { readonly path: string; readonly params?: z.ZodType }) =>
  params ?? (path.includes(':id') ? idParameter : undefined)

/** The path of one resource. */
export const pathTo = (path: string, id: string): string => path.replace(':id', encodeURIComponent(id))
