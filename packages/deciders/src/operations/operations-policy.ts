// Access rules of operations: projections, parked events, and failed jobs.
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
