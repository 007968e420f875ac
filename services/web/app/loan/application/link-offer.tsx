// Says how one comes back to an application, to who applied without an account: with what only this browser holds.
import { Link } from 'react-router'
import { useVisitor } from '../../shared/visitor.ts'

export const LinkOffer = ({ loanId }: { loanId: string }) => {
  const visitor = useVisitor()
  if (!visitor?.loans.includes(loanId)) return null
  return (
    <p className="quiet">
      This page opens in this browser only.{' '}
      <Link to={`/applications/${loanId}/link`}>Make a link to open it elsewhere</Link>
    </p>
  )
}
