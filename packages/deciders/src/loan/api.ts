// The API of lending.
import { z } from 'zod'
import { api } from '../api.ts'
import { owner, partner, people, type Rules, role } from '../policy.ts'
import { after, place } from '../query-fields.ts'
import { decideLoanInput, requestLoanInput, withdrawLoanInput } from './loan.ts'
import {
  loanChanges,
  loanHistory,
  loanPage,
  seenLoan,
  underwritingPage,
  underwritingStatistics,
} from './loan-answers.ts'
import {
  historyFileQuery,
  historyQuery,
  liveLoansFilter,
  liveQueueFilter,
  loansQuery,
  queueQuery,
  searchHeaders,
  statisticsQuery,
} from './loan-filters.ts'
import { linkDaysMax, someLoans } from './loan-policy.ts'

const underwriters: Rules = [role('underwriter')]

const notFound = 'There is no such loan.'
const wrongQuery = 'Something in the query is not right.'
const unreachable = 'The read model cannot be reached now.'

const oneLoan = z
  .strictObject({
    after,
    asOf: place.optional().meta({
      description:
        'A revision of the loan, or a moment: the loan as it was then, from the event store. `ETag` and `Headwater-Position` are those of the last event up to there.',
    }),
  })
  .refine(({ after, asOf }) => after === undefined || asOf === undefined, {
    path: ['after'],
    message: 'goes without asOf: the past is read from the event store and not waited for',
  })

export const loanApi = api({
  statuses: { loan_not_found: 404, own_loan: 403 },
  commands: {
    requestLoan: {
      path: '/api/loans',
      summary: 'Request a loan',
      description: 'The credit bureau is asked at once: the loan is approved, denied, or waits for an underwriter.',
      rules: [people, partner('loans:write')],
      input: requestLoanInput,
      creates: true,
    },
    approveLoan: {
      path: '/api/loans/:id/approve',
      summary: 'Approve a loan',
      description: 'For underwriters, while the loan awaits review.',
      rules: underwriters,
      input: decideLoanInput.default({}),
    },
    denyLoan: {
      path: '/api/loans/:id/deny',
      summary: 'Deny a loan',
      description: 'For underwriters, while the loan awaits review.',
      rules: underwriters,
      input: decideLoanInput.default({}),
    },
    withdrawLoan: {
      path: '/api/loans/:id/withdraw',
      summary: 'Withdraw a loan',
      description: 'For the person or partner who requested it, until it is decided.',
      rules: [owner('loans:write')],
      input: withdrawLoanInput.default({}),
    },
  },
  queries: {
    loan: {
      path: '/api/loans/:id',
      summary: 'One loan, now or as it was',
      rules: someLoans,
      query: oneLoan,
      answer: seenLoan,
      refusals: {
        404: 'There is no such loan of yours, or not yet, or was none then.',
        422: wrongQuery,
        503: 'Whether there is such a loan of yours is not known here yet.',
      },
    },
    loans: {
      path: '/api/loans',
      summary: 'Loans, the newest first',
      description: 'All of them for underwriters and operators, your own for everybody else.',
      rules: someLoans,
      query: loansQuery,
      answer: loanPage,
      refusals: { 422: wrongQuery },
    },
    changes: {
      path: '/api/loans/:id/changes',
      summary: 'What of a loan changed between two moments',
      description: 'Read from the event store itself: always current.',
      rules: someLoans,
      query: z.strictObject({
        from: place.meta({ description: 'A revision, or a moment: everything recorded until then.' }),
        to: place.optional().meta({ description: 'The same; now when it is left out.' }),
      }),
      answer: loanChanges,
      refusals: {
        404: 'There is no such loan of yours, or was none at `to`, or no such revision yet.',
        422: wrongQuery,
      },
    },
    history: {
      path: '/api/loans/:id/history',
      summary: 'What has happened to a loan, event by event',
      description: 'Read from the event store itself: always current.',
      rules: underwriters,
      query: z.strictObject({}),
      answer: loanHistory,
      refusals: { 404: notFound, 422: 'It has more events than can be read at once.' },
    },
    nationalId: {
      method: 'POST',
      path: '/api/loans/:id/reveal-national-id',
      summary: 'The national id of the applicant, unmasked',
      description: 'Recorded in the audit trail first; while that cannot be done, nothing is revealed.',
      rules: underwriters,
      answer: z.object({ nationalId: z.string() }),
      refusals: {
        404: notFound,
        503: 'It cannot be recorded now that you asked, or whether there is such a loan is not known here yet.',
      },
    },
    link: {
      method: 'POST',
      path: '/api/loans/:id/link',
      summary: 'A link to come back to an application that was sent without an account',
      description: `Opened once, within ${linkDaysMax} days, it lets a browser follow the loan and withdraw it.`,
      rules: [owner('loans:read')],
      answer: z.object({ url: z.url(), expiresAt: z.iso.datetime() }),
      status: 201,
      refusals: { 404: notFound },
    },
    queue: {
      path: '/api/underwriting/queue',
      summary: 'Loans that wait for an underwriter, the longest waiting first',
      rules: underwriters,
      headers: searchHeaders,
      query: queueQuery,
      answer: underwritingPage,
      refusals: { 422: wrongQuery, 503: unreachable },
    },
    decided: {
      path: '/api/underwriting/history',
      summary: 'Loans that are decided or withdrawn, the newest decisions first',
      rules: underwriters,
      headers: searchHeaders,
      query: historyQuery,
      answer: underwritingPage,
      refusals: { 422: wrongQuery, 503: unreachable },
    },
    decidedFile: {
      path: '/api/underwriting/history.csv',
      summary: 'The whole history as a file',
      description:
        'As the history is filtered and ordered. Rows that change while the file is written may be as they were or as they are.',
      rules: underwriters,
      headers: searchHeaders,
      query: historyFileQuery,
      answer: z.unknown().meta({ type: 'string' }),
      mediaType: 'text/csv',
      refusals: { 422: wrongQuery, 503: unreachable },
    },
    statistics: {
      path: '/api/underwriting/statistics',
      summary: 'Decision statistics',
      rules: underwriters,
      query: statisticsQuery,
      answer: underwritingStatistics,
      refusals: { 422: wrongQuery, 503: unreachable },
    },
  },
  topics: {
    loans: { rules: someLoans, filter: liveLoansFilter },
    underwriting: { rules: underwriters, filter: liveQueueFilter },
  },
})
