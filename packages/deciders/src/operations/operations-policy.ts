// Who may look after what runs: followers of the event store, what they could not take in, and the jobs that failed for good.
import { type Rules, role } from '../policy.ts'

const operators: Rules = [role('operator')]

export const operationsRules = {
  overview: operators,
  parked: operators,
  retryParked: operators,
  skipParked: operators,
  pause: operators,
  resume: operators,
  rebuild: operators,
  stopRebuild: operators,
  parkedJobs: operators,
  runParkedJobAgain: operators,
  skipParkedJob: operators,
} satisfies Readonly<Record<string, Rules>>
