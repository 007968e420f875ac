// Which page is at which address.
import { index, type RouteConfig, route } from '@react-router/dev/routes'

export default [
  index('home/home.tsx'),
  route('apply', 'apply/start.ts'),
  route('apply/:key', 'apply/apply.tsx'),
  route('applications/:loanId/received', 'application/received.tsx'),
  route('applications/:loanId/link', 'application/link.tsx'),
  route('applications/:loanId', 'application/application.tsx'),
  route('underwriting', 'underwriting/queue.tsx'),
  route('underwriting/decided', 'underwriting/decided.tsx'),
  route('underwriting/decided.csv', 'underwriting/decided-file.ts'),
  route('underwriting/numbers', 'underwriting/numbers.tsx'),
  route('underwriting/loans/:loanId', 'underwriting/loan.tsx'),
  route('underwriting/loans/:loanId/national-id', 'underwriting/national-id.tsx'),
  route('audit', 'audit/audit.tsx'),
  route('consents', 'consents/my-record.tsx'),
  route('consents/patients', 'consents/my-patients.tsx'),
  route('consents/:consentId', 'consents/history.tsx'),
  route('operations', 'operations/overview.tsx'),
  route('operations/webhooks', 'operations/webhooks.tsx'),
  route('operations/webhooks/:webhookId', 'operations/webhook.tsx'),
] satisfies RouteConfig
