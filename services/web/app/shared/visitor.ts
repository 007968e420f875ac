// Who looks at the page, as the frame of every page was told.
import { useRouteLoaderData } from 'react-router'
import type { Visitor } from './api.server.ts'

export const useVisitor = (): Visitor | undefined =>
  useRouteLoaderData<{ readonly visitor: Visitor | null }>('root')?.visitor ?? undefined

type Known = Pick<Visitor, 'signedIn' | 'roles' | 'loans'> | undefined

/** Every loan is shown to them, whoever applied. */
export const seesAllLoans = (visitor: Known): boolean =>
  visitor?.roles.some((role) => role === 'underwriter' || role === 'operator') ?? false

/** Loans are shown to them because they are theirs. */
export const hasOwnLoans = (visitor: Known): boolean =>
  visitor !== undefined && !seesAllLoans(visitor) && (visitor.signedIn || visitor.loans.length > 0)
