// What the HTTP API of a context is: its service makes routes of it, the gateway forwards and documents it, the pages ask and parse with it.
import { z } from 'zod'
import { uuid } from './fields.ts'
import type { Rules } from './policy.ts'

/** A command: `POST` to `path`. */
export type ApiCommand = {
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly rules: Rules
  /** What a body may hold; the service adds ids, time, actor and outside facts. */
  readonly input: z.ZodType
  /** It makes the thing that it is about, which is at `path`/id then; others name a thing that exists. */
  readonly creates?: true
  /** Only the gateway sends it, on behalf of a person; it is not part of the public API. */
  readonly internal?: true
}

/** A question, or a request that leads to no event of the context. */
export type ApiQuery = {
  /** `GET` where it is not said. */
  readonly method?: 'POST'
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly rules: Rules
  /** A UUID named `id` where the path has one and nothing else is said. */
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly headers?: z.ZodType
  readonly body?: z.ZodType
  readonly answer: z.ZodType
  /** 200 where it is not said. */
  readonly status?: 201 | 202
  /** The type of an answer that is not JSON. */
  readonly mediaType?: string
  /** What statuses mean here, besides those that follow from the rules. */
  readonly refusals?: Readonly<Record<number, string>>
}

/** What can be followed live. */
export type ApiTopic = { readonly rules: Rules; readonly filter: z.ZodType }

export type Api = {
  /** By operation id. */
  readonly commands: Readonly<Record<string, ApiCommand>>
  readonly queries: Readonly<Record<string, ApiQuery>>
  readonly topics: Readonly<Record<string, ApiTopic>>
  /** HTTP statuses of the context's rejections; 409 where none is named. */
  readonly statuses: Readonly<Record<string, number>>
}

export const api = <const Described extends Api>(described: Described): Described => described

const idParameter = z.object({ id: uuid })

/** The schema of the parameters in a path; undefined where it has none. */
export const paramsOf = ({ path, params }: { readonly path: string; readonly params?: z.ZodType }) =>
  params ?? (path.includes(':id') ? idParameter : undefined)

/** The address of one thing. */
export const pathTo = (path: string, id: string): string => path.replace(':id', encodeURIComponent(id))
