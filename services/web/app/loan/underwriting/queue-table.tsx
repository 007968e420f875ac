// The table of loans that wait: a thousand rows, of which only those that changed are drawn again.
import type { SeenUnderwritingLoan } from '@headwater/deciders/loan/loan-answers'
import { memo } from 'react'
import { Link } from 'react-router'
import { Time } from '../../shared/time.tsx'
import { eurosText } from '../loan.ts'
import { SortedHeader } from './sorted-header.tsx'

type Props = {
  readonly rows: readonly SeenUnderwritingLoan[]
  /** Those that are shown although they no longer wait. */
  readonly left: ReadonlySet<string>
  readonly changed: ReadonlySet<string>
  readonly order: { readonly sort: string; readonly direction: string }
  readonly search: string
  readonly onPointed: (pointed: boolean) => void
  readonly onFocused: (focused: boolean) => void
}

const Row = memo(({ loan, isFresh, hasLeft }: { loan: SeenUnderwritingLoan; isFresh: boolean; hasLeft: boolean }) => (
  <tr className={isFresh ? 'fresh' : undefined} data-left={hasLeft || undefined}>
    <th scope="row">
      <Link to={`/underwriting/loans/${loan.loanId}`} data-row>
        {loan.name}
      </Link>
      {hasLeft && <span className="quiet"> no longer waits</span>}
    </th>
    <td className="number">{eurosText(loan.amount)}</td>
    <td className="number wide">{loan.score}</td>
    <td>
      <Time at={loan.requestedAt} />
    </td>
  </tr>
))

export const QueueTable = ({ rows, left, changed, order, search, onPointed, onFocused }: Props) => (
  <div className="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">Applicant</th>
          <SortedHeader by="amount" label="Amount" order={order} search={search} className="number" />
          <SortedHeader by="score" label="Score" order={order} search={search} className="number wide" />
          <SortedHeader by="requestedAt" label="Waiting since" order={order} search={search} />
        </tr>
      </thead>
      <tbody
        onPointerEnter={() => onPointed(true)}
        onPointerLeave={() => onPointed(false)}
        onFocus={() => onFocused(true)}
        onBlur={() => onFocused(false)}
      >
        {rows.map((loan) => (
          <Row key={loan.loanId} loan={loan} isFresh={changed.has(loan.loanId)} hasLeft={left.has(loan.loanId)} />
        ))}
      </tbody>
    </table>
  </div>
)
