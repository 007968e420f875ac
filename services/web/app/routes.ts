// Which page is at which address.
import { index, type RouteConfig, route } from '@react-router/dev/routes'

export default [
  index('home/home.tsx'),
  route('apply', 'loan/apply/start.ts'),
  route('apply/:key', 'loan/apply/apply.tsx'),
  route('applications/:loanId/received', 'loan/application/received.tsx'),
  route('applications/:loanId/link', 'loan/application/link.tsx'),
  route('applications/:loanId', 'loan/application/application.tsx'),
  route('underwriting', 'loan/underwriting/queue.tsx'),
  route('underwriting/decided', 'loan/underwriting/decided.tsx'),
  route('underwriting/decided.csv', 'loan/underwriting/decided-file.ts'),
  route('underwriting/numbers', 'loan/underwriting/numbers/numbers.tsx'),
  route('underwriting/loans/:loanId', 'loan/underwriting/loan/loan.tsx'),
  route('underwriting/loans/:loanId/national-id', 'loan/underwriting/loan/national-id.tsx'),
  route('audit', 'audit/audit.tsx'),
  route('consents', 'consent/my-record.tsx'),
  route('consents/patients', 'consent/my-patients.tsx'),
  route('consents/:consentId', 'consent/history.tsx'),
  route('operations', 'operations/overview.tsx'),
  route('operations/webhooks', 'operations/webhooks/webhooks.tsx'),
  route('operations/webhooks/:webhookId', 'operations/webhooks/webhook.tsx'),
] satisfies RouteConfig
