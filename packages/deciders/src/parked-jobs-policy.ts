// Who may look at jobs that failed for good, and have them run again.
import { type Rules, role } from './policy.ts'

export const parkedJobsRules: Rules = [role('operator')]
