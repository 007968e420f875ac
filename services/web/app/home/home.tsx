// The first page: what this is, how to apply, and the loans that its reader may see as they come and change.
import { loanApi } from '@headwater/deciders/loan/api'
import { type PublicLoan, publicLoans } from '@headwater/deciders/loan/loan-answers'
import { Link } from 'react-router'
import { Connection } from '../live/connection.tsx'
import { useLiveRows } from '../live/use-live-rows.ts'
import { eurosText, referenceOf } from '../loan/loan.ts'
import { getIfSignedIn, getVisitor } from '../shared/api.server.ts'
import { Status } from '../shared/status.tsx'
import { Time } from '../shared/time.tsx'
import { hasOwnLoans, seesAllLoans } from '../shared/visitor.ts'
import type { Route } from './+types/home'

const loansShownMax = 10

export const loader = async ({ context }: Route.LoaderArgs) => {
  const visitor = await getVisitor(context)
  const isShownLoans = seesAllLoans(visitor) || hasOwnLoans(visitor)
  const { loans } = loanApi.queries
  const list = isShownLoans && (await getIfSignedIn(context, `${loans.path}?limit=${loansShownMax}`, publicLoans))
  return {
    loans: list ? list.loans : undefined,
    areOwn: !seesAllLoans(visitor),
    isUnderwriter: visitor?.roles.includes('underwriter') ?? false,
    openedAt: new Date().toISOString(),
  }
}

/** As the API orders them: the newest first. */
const newestFirst = (a: PublicLoan, b: PublicLoan): number => {
  if (a.requestedAt !== b.requestedAt) return a.requestedAt > b.requestedAt ? -1 : 1
  return a.loanId > b.loanId ? -1 : 1
}
const keyOf = (loan: PublicLoan) => loan.loanId

const texts = {
  own: {
    title: 'Your applications',
    none: 'You have not applied for anything yet.',
    note: 'Only you see this. Each application has a page of its own.',
  },
  all: {
    title: 'Latest applications',
    none: 'No applications yet. The first one appears here by itself.',
    note: 'Nothing here tells who applied.',
  },
} as const

type LatestProps = { readonly loans: readonly PublicLoan[]; readonly areOwn: boolean; readonly openedAt: string }

const Latest = ({ loans, areOwn, openedAt }: LatestProps) => {
  const text = texts[areOwn ? 'own' : 'all']
  const live = useLiveRows<PublicLoan>({ topic: 'loans', keyOf }, loans)
  const newest = live.rows.toSorted(newestFirst).slice(0, loansShownMax)
  return (
    <section aria-labelledby="loans">
      <div className="title">
        <h2 id="loans" tabIndex={-1}>
          {text.title}
        </h2>
        <Connection live={live} openedAt={openedAt} />
      </div>
      {newest.length === 0 ? (
        <p className="empty">{text.none}</p>
      ) : (
        <table aria-describedby="seen-by">
          <thead>
            <tr>
              <th scope="col" className={areOwn ? 'wide' : undefined}>
                Received
              </th>
              <th scope="col" className="number">
                Amount
              </th>
              <th scope="col">Status</th>
              <th scope="col" className={areOwn ? undefined : 'wide'}>
                Reference
              </th>
            </tr>
          </thead>
          <tbody>
            {newest.map((loan) => (
              <tr key={loan.loanId} className={live.changed.has(loan.loanId) ? 'fresh' : undefined}>
                <td className={areOwn ? 'wide' : undefined}>
                  <Time at={loan.requestedAt} />
                </td>
                <td className="number">{eurosText(loan.amount)}</td>
                <td>
                  <Status status={loan.status} />
                </td>
                {areOwn ? (
                  <td className="reference">
                    <Link to={`/applications/${loan.loanId}`}>{referenceOf(loan.loanId)}</Link>
                  </td>
                ) : (
                  <td className="wide reference">{referenceOf(loan.loanId)}</td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p id="seen-by" className="quiet">
        {text.note}
      </p>
    </section>
  )
}

export default function Home({ loaderData: { loans, areOwn, isUnderwriter, openedAt } }: Route.ComponentProps) {
  const list = loans && <Latest loans={loans} areOwn={areOwn} openedAt={openedAt} />
  return (
    <>
      <title>Headwater · loans, decided in the open</title>
      <meta name="description" content="Apply for a loan in two minutes, and watch your application being decided." />
      <section className="hero">
        <h1>A loan decision you can watch being made.</h1>
        <p className="lead">
          Apply in about two minutes. Most applications are decided at once; the others are read by a person. Either
          way, your own page shows every step, as it happens.
        </p>
        <p className="actions">
          <Link className="button" to="/apply">
            Apply for a loan
          </Link>
          {isUnderwriter && <Link to="/underwriting">See who waits for a decision</Link>}
          {loans && areOwn && <a href="#loans">Your applications</a>}
        </p>
      </section>

      {areOwn && list}
      <section aria-labelledby="how">
        <h2 id="how">How it works</h2>
        <ol className="steps">
          <li>
            <h3>You tell us four things</h3>
            <p>Your name, your address, your national id, and how much you need. You check it before it is sent.</p>
          </li>
          <li>
            <h3>We ask the credit bureau</h3>
            <p>
              A clear answer decides at once. If the bureau does not answer, we keep your application and ask again.
            </p>
          </li>
          <li>
            <h3>A person reads the rest</h3>
            <p>When the answer is not clear, an underwriter decides. You can withdraw at any time until then.</p>
          </li>
        </ol>
      </section>

      {!areOwn && list}
    </>
  )
}
