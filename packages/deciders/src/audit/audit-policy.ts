// Who may look into the audit trail.
import { type Rules, role } from '../policy.ts'

export const auditQueryRules = { audit: [role('auditor')] } satisfies Readonly<Record<string, Rules>>
