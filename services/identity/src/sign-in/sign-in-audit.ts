// Who signed in, and as whom somebody tried to: for the audit trail, by ids only. Of names that are nobody's there is nothing.
import type { Audit } from '@headwater/eventstore/audit'
import type { ActiveUser } from '../users/users.ts'

export type SignInAudit = {
  readonly signedIn: (user: ActiveUser, traceparent: string) => void
  readonly failed: (user: ActiveUser, traceparent: string) => void
}

/** Takes note and does not wait: whether there is such a user is not to be told by how long an answer takes. */
export const createSignInAudit = (audit: Pick<Audit, 'note'>): SignInAudit => {
  const noteAs =
    (type: 'SignedIn' | 'SignInFailed') =>
    ({ userId: sub, roles }: ActiveUser, traceparent: string) =>
      audit.note(
        { type, data: { actor: { kind: 'person', sub, roles }, at: new Date().toISOString() } },
        { traceparent },
      )
  return { signedIn: noteAs('SignedIn'), failed: noteAs('SignInFailed') }
}
