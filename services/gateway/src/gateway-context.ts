// What a context brings to the gateway: its queries, its live topics, and what it adds to commands that are forwarded.
import type { Audit } from '@headwater/eventstore/audit'
import type { EventStore } from '@headwater/eventstore/client/client'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Topic } from '@headwater/live/topic'
import type { PostgresReader } from '@headwater/projections/postgres/reader'
import type { Forwardings } from './forwarding/forwarded-command.ts'
import type { Applying } from './loan/applying.ts'
import type { People } from './people.ts'
import type { Rows } from './read-after.ts'

/** What the gateway gives to each context. */
export type Parts = {
  readonly server: HttpServer
  /** Read models by name, those of this node and those in Postgres. */
  readonly edge: (name: string) => Rows
  readonly postgres: (name: string) => PostgresReader
  readonly store: Pick<EventStore, 'readStream'>
  readonly people: Pick<People, 'namesOf'>
  readonly audit: Audit
  /** Limits, and lets in, applicants without an account. */
  readonly applying: Applying | undefined
  /** For a read model to become current, before a check is answered that it is not. */
  readonly checkWaitMs: number | undefined
}

export type GatewayContext = {
  readonly topics: Readonly<Record<string, Topic>>
  readonly forwardings?: (parts: Parts) => Forwardings
  readonly register: (parts: Parts) => void
}
