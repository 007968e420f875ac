// What is written down of looking: at somebody's loan, at lists of them, at what is masked.
import { auditedActor, auditedFilter } from '@headwater/deciders/audit/audit-events'
import type { Actor } from '@headwater/deciders/policy'
import type { Audit } from '@headwater/eventstore/audit'

export type Looks = {
  /** Somebody is shown a loan that is not theirs. */
  readonly loanViewed: (actor: Actor, traceparent: string, loanId: string, part: 'detail' | 'history') => void
  /**
   * Somebody is about to be shown a national id: resolves when that is written down.
   * @throws StoreUnavailable when it cannot be
   */
  readonly nationalIdRevealed: (actor: Actor, traceparent: string, loanId: string) => Promise<void>
  /** Somebody asks for a list, once or to follow it. Asking the same again and again is written down now and then. */
  readonly listFollowed: (
    actor: Actor,
    traceparent: string,
    list: string,
    filter: Readonly<Record<string, unknown>>,
  ) => void
}

export const looksIn = (audit: Audit): Looks => {
  const now = () => new Date().toISOString()
  return {
    loanViewed: (viewer, traceparent, loanId, part) => {
      const actor = auditedActor(viewer)
      if (actor) audit.note({ type: 'LoanViewed', data: { actor, at: now(), loanId, part } }, { traceparent })
    },
    nationalIdRevealed: async (viewer, traceparent, loanId) => {
      const actor = auditedActor(viewer)
      if (!actor) throw new Error('A national id is revealed to nobody who is not known.')
      await audit.record({ type: 'NationalIdRevealed', data: { actor, at: now(), loanId } }, { traceparent })
    },
    listFollowed: (viewer, traceparent, list, filter) => {
      const actor = auditedActor(viewer)
      // Whoever holds the link to a loan sees no list but of that one.
      if (!actor || actor.kind === 'capability') return
      const data = { actor, at: now(), list, filter: auditedFilter(filter) }
      audit.noteOnce({ type: 'ListFollowed', data }, { traceparent })
    },
  }
}
