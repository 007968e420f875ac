// The events of a loan. Names and fields are the storage format: change them only by a new event or an upcast.
import { z } from 'zod'
import type { EventOf, EventTypes } from '../event-types.ts'

/** The range of the credit bureau's scores. */
const scoreMin = 1
const scoreMax = 10

/** Marks a field with personal data, which must be erasable. */
const personal = { personal: true }

const nationalId = z.string().regex(/^\d{6}[A-Z]{2}$/)
const instant = z.iso.datetime()
const requestedBy = z.strictObject({ kind: z.enum(['person', 'partner', 'anonymous']), id: z.string() })
const score = z.int().min(scoreMin).max(scoreMax)

/** A valid answer of the credit bureau. */
export const creditBureauAnswer = z.object({ score, checkedAt: instant })

/** Facts for paying out an approved loan; absent in events of earlier releases. */
const payable = { amountEuros: z.int().optional(), requestedBy: requestedBy.optional() }

const schemas = {
  LoanRequested: z.strictObject({
    loanId: z.uuid(),
    name: z.string().meta(personal),
    address: z.string().meta(personal),
    nationalId: nationalId.meta(personal),
    amount: z.int(),
    requestedBy,
    requestedAt: instant,
  }),
  CreditChecked: z.strictObject({ loanId: z.uuid(), score, checkedAt: instant }),
  AutoApproved: z.strictObject({ loanId: z.uuid(), score, decidedAt: instant, ...payable }),
  AutoDenied: z.strictObject({ loanId: z.uuid(), score, decidedAt: instant }),
  ManualReviewRequired: z.strictObject({
    loanId: z.uuid(),
    name: z.string().meta(personal),
    amount: z.int(),
    nationalId: nationalId.meta(personal),
    score,
    requestedBy,
    requestedAt: instant,
  }),
  ManuallyApproved: z.strictObject({
    loanId: z.uuid(),
    decidedBy: z.string(),
    reason: z.string().nullable().meta(personal),
    decidedAt: instant,
    ...payable,
  }),
  ManuallyDenied: z.strictObject({
    loanId: z.uuid(),
    decidedBy: z.string(),
    reason: z.string().nullable().meta(personal),
    decidedAt: instant,
  }),
  LoanWithdrawn: z.strictObject({
    loanId: z.uuid(),
    reason: z.string().nullable().meta(personal),
    withdrawnAt: instant,
  }),
  LoanAbandoned: z.strictObject({ loanId: z.uuid(), abandonedAt: instant }),
}

/** The events of a `loan-<id>` stream, one schema per type. */
export const loanEvents = { schemas, upcasts: {} } satisfies EventTypes
export type LoanEvent = EventOf<typeof loanEvents>

/** The applicant or partner. The ID of an anonymous applicant does not identify the person. */
export type RequestedBy = z.infer<typeof requestedBy>
