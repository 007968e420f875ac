// What one socket has yet to be told, in bounded memory: changes of a row coalesce, and past the bound a fresh snapshot is due instead.
import type { Ops } from './result-window.ts'

export type OutboxLimits = { readonly entriesMax: number; readonly bytesMax: number }

type Due =
  | { readonly id: string; readonly kind: 'snapshot' }
  | { readonly id: string; readonly kind: 'changes'; readonly ops: Ops; readonly token: string }

export type Outbox = {
  readonly addSnapshot: (id: string) => void
  readonly addChanges: (id: string, ops: Ops, token: string) => void
  readonly drop: (id: string) => void
  /** Takes out what is to be sent next: one subscription's news, the longest waiting first. */
  readonly take: () => Due | undefined
  readonly size: () => { readonly entries: number; readonly bytes: number }
}

/** Changes by row, or null when a snapshot is due that will hold them all. */
type Waiting = { ops: Map<string, string> | null; token: string }

export const createOutbox = ({ entriesMax, bytesMax }: OutboxLimits): Outbox => {
  const waiting = new Map<string, Waiting>()
  let entries = 0
  let bytes = 0

  const count = (ops: Ops | null, sign: 1 | -1): void => {
    for (const json of ops?.values() ?? []) {
      entries += sign
      bytes += sign * json.length
    }
  }

  const drop = (id: string): void => {
    count(waiting.get(id)?.ops ?? null, -1)
    waiting.delete(id)
  }

  const addSnapshot = (id: string): void => {
    const known = waiting.get(id)
    if (!known) waiting.set(id, { ops: null, token: '' })
    else {
      count(known.ops, -1)
      known.ops = null
    }
  }

  const addChanges = (id: string, ops: Ops, token: string): void => {
    const known = waiting.get(id) ?? { ops: new Map<string, string>(), token }
    waiting.set(id, known)
    if (known.ops === null) return // the snapshot that is due will be newer than these changes
    known.token = token
    for (const [key, json] of ops) {
      const superseded = known.ops.get(key)
      entries += superseded === undefined ? 1 : 0
      bytes += json.length - (superseded?.length ?? 0)
      known.ops.set(key, json)
    }
    if (entries > entriesMax || bytes > bytesMax) for (const other of waiting.keys()) addSnapshot(other)
  }

  const take = (): Due | undefined => {
    const [first] = waiting
    if (!first) return undefined
    const [id, { ops, token }] = first
    drop(id)
    return ops === null ? { id, kind: 'snapshot' } : { id, kind: 'changes', ops, token }
  }

  return { addSnapshot, addChanges, drop, take, size: () => ({ entries, bytes }) }
}
