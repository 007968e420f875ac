// Who may look after what runs: the jobs that failed for good.
import { type Rules, role } from './policy.ts'

export const operationsRules = {
  parkedJobs: [role('operator')],
  runParkedJobAgain: [role('operator')],
} satisfies Readonly<Record<string, Rules>>
