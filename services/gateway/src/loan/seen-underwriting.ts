// What underwriters are shown of a row of the read model `underwriting`.
import type { SeenUnderwritingLoan } from '@headwater/deciders/loan/loan-answers'
import type { UnderwritingLoan } from '@headwater/read-models/loan/underwriting'

export const underwritingLoanAsSeen = ({ foldedName: _, ...loan }: UnderwritingLoan): SeenUnderwritingLoan => loan
